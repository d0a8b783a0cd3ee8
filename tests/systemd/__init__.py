"""Tests with a systemd that really runs: the package in fresh Debian machines."""
