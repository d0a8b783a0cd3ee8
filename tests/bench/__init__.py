"""How fast the program is, beside two yardsticks. Run by ``make bench``; not a test, for a machine's mood is no bug."""
