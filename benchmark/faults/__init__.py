"""What a node survives: fuzzed messages and calls, floods, dying cameras and processes, damaged files."""
