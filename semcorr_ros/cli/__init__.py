"""Command line: one verb per file, each with `add_arguments(parser)` and `run(args) -> int`."""
