"""Results of networks on disk: what was computed before is not computed again.

One safetensors file per result, named by what it depends on. A damaged file counts as missing, and a disk
that is full costs time, not the result.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from semcorr_ros.storage import read_tensors, write_tensors

LOG = logging.getLogger(__name__)
KEPT = 0.9  # share of `max_bytes` that is kept when results are deleted
T = TypeVar("T")


class DiskStore:
    """A folder that several processes may share. Beyond `max_bytes`, the least recently used results are
    deleted."""

    def __init__(self, root: Path, max_bytes: int, device: str) -> None:
        if max_bytes <= 0:
            raise ValueError(f"the largest size of a cache must be positive, got {max_bytes} bytes")
        self._root, self._max_bytes, self._device = root, max_bytes, device
        self._bytes: int | None = None  # as far as this process knows; None before it wrote anything

    def path(self, model: str, facts: str, *content: Tensor) -> Path:
        """Return the file of a model's result, named by the hash of these facts and tensors."""
        digest = hashlib.sha256(f"{model}|{facts}".encode())
        for tensor in content:
            digest.update(f"|{tuple(tensor.shape)}|".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        name = digest.hexdigest()
        return self._root / model.replace(":", "-") / name[:2] / f"{name}.safetensors"

    def read(self, path: Path, restore: Callable[[dict[str, Tensor], dict[str, Any]], T]) -> T | None:
        """Read a result as `restore` makes it from tensors (on the device) and header; None for a missing or,
        with a warning, damaged file. `restore` raises ValueError or KeyError for what it cannot use."""
        try:
            found = restore(*read_tensors(path, self._device))
            os.utime(path)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            LOG.warning("a cached result is computed again: %s: %s", path, error)
            return None
        return found

    def write(self, path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
        """Write a result; log a warning if the disk refuses."""
        try:
            write_tensors(path, tensors, header)
            if self._bytes is None:
                self._bytes = sum(entry.stat().st_size for entry in _entries(self._root))
            else:
                self._bytes += path.stat().st_size
            if self._bytes > self._max_bytes:
                self._bytes = shrink(self._root, int(KEPT * self._max_bytes))
        except OSError as error:
            LOG.warning("a result is not cached: %s", error)


def shrink(folder: Path, max_bytes: int) -> int:
    """Delete results, least recently used first, until at most `max_bytes` are left. Returns the bytes
    left."""
    stats = []
    for path in _entries(folder):
        try:
            stats.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        except FileNotFoundError:  # deleted by another process
            continue
    left = sum(size for _, size, _ in stats)
    for _, size, path in sorted(stats):
        if left <= max_bytes:
            break
        path.unlink(missing_ok=True)
        left -= size
    return left


def _entries(folder: Path) -> Iterator[Path]:
    return folder.glob("*/[0-9a-f][0-9a-f]/*.safetensors")
