"""Files by stem, and numbers of NumPy files, without pickles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def read_array(path: Path, names: Sequence[str], lone: bool = True) -> np.ndarray:
    """Read the array of a .npy, or of a .npz the one with one of these names.

    lone: the only one of a .npz may be called anything. Raises FileNotFoundError, or ValueError naming the
    file.
    """
    (values,) = _read(path, lambda there: [_chosen(there, names, lone)]).values()
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected numbers, got {values.dtype} {values.shape}")
    return values


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of a .npz by name, but for those that hold Python objects. Raises as `read_array`."""
    return {name: values for name, values in _read(path, lambda there: there).items() if values.size}


def _read(path: Path, choose: Callable[[list[str]], list[str]]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        # Mapped: a damaged header may claim any size, and is compared with that of the file.
        content = np.load(path, allow_pickle=False, mmap_mode="r")
        if isinstance(content, np.ndarray):
            found = {"": np.array(content)}
        else:
            with content:
                chosen = choose(content.files)
                found = {name: _member(content, name, len(chosen) > 1) for name in chosen}
        if not all(isinstance(values, np.ndarray) for values in found.values()):
            raise ValueError("a part of it is no array")
    except Exception as error:  # damaged headers raise anything, and claim any size
        raise ValueError(f"{path} is not a readable NumPy file: {error}") from error
    return found


def _member(content: Any, name: str, optional: bool) -> np.ndarray:
    """Read an array of a .npz; nothing for an optional one of Python objects, which would have to be run."""
    try:
        return content[name]
    except ValueError as error:
        if optional and "pickle" in str(error):
            return np.zeros(0)
        raise


def _chosen(there: list[str], names: Sequence[str], lone: bool) -> str:
    if lone and len(there) == 1:
        return there[0]
    found = [name for name in names if name in there]
    if not found:
        raise ValueError(f"it holds {', '.join(there) or 'nothing'}; name one {' or '.join(names)}")
    return found[0]


def find_file(folders: Sequence[Path], stem: str, suffixes: Sequence[str]) -> Path | None:
    """Find <folder>/<stem><suffix>, the suffix in any case: the first folder, then the first suffix, wins."""
    for folder in folders:
        for suffix in suffixes:
            for ending in (suffix, suffix.upper(), f".{suffix[1:].capitalize()}"):
                path = folder / f"{stem}{ending}"
                if path.is_file():
                    return path
    return None
