"""What shows the program at work without an instance of the platform."""
