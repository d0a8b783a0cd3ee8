"""Values in, values out: no clock, no network, no disk. ``tests/core/test_purity.py`` holds this package to it."""
