"""Folders of tiny models, made when a test asks for one: some need a newer transformers than others."""

from collections.abc import Callable
from pathlib import Path

import pytest
import transformers


def needs(*names: str) -> None:
    """Skip the test where the installed transformers lacks a class of the model."""
    for name in names:
        if not hasattr(transformers, name):
            pytest.skip(f"transformers {transformers.__version__} has no {name}")


class ModelFolders:
    """`folders / name` is a path, like that of a folder that holds them all."""

    def __init__(self, root: Path, savers: dict[str, Callable[[Path], object]]):
        self.root, self._savers = root, savers

    def __truediv__(self, name: str) -> Path:
        if not (self.root / name).exists():
            self._savers[name](self.root / name)
        return self.root / name
