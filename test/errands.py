"""Jobs for tests of `workers`: functions that another process can import."""

import os
from pathlib import Path


def square(value):
    if value == 3:
        raise ValueError("three is not squared")
    return value * value


def die():
    """Takes its process along."""
    os._exit(1)


def where_am_i(path):
    """What a relative path means to it, and its Ray node."""
    import ray

    return str(Path(path).resolve()), ray.get_runtime_context().get_node_id()


def put(folder: Path, name: str) -> None:
    """Write a file that holds its name."""
    if name == "bad":
        raise ValueError("it is bad")
    (folder / name).write_text(name)
