"""One outside thing a module, and no decisions."""
