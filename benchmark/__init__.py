"""Measurements that are too long for tests: `python -m benchmark.<name> --help`."""
