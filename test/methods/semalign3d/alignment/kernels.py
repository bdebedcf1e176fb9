"""Processes as on a machine where nothing has been compiled yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from semcorr_ros.methods.semalign3d.alignment import engine
from semcorr_ros.methods.semalign3d.alignment.compiled import library


@contextmanager
def forgotten_kernels(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """In this process, with an empty folder for them; afterwards they are found again as before."""
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
    monkeypatch.setattr(library.tempfile, "tempdir", str(folder.parent))
    monkeypatch.setattr(library, "KERNELS", library.Kernels())
    engine._say_once.cache_clear()
    yield
    engine._say_once.cache_clear()
