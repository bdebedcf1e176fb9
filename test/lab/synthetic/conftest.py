"""Without the `synthetic` extra there is nothing here to test."""

import importlib.util

MISSING = [name for name in ("trimesh", "embreex") if importlib.util.find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING else []
