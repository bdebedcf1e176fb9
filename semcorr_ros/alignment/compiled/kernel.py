"""How kernels are compiled: fast float arithmetic, without the interpreter lock, once per version.

numba's own cache notices a change of a function's file but not of the files it calls into, so the
machine code is kept in a folder named after all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; later processes load the result.

    Inlined by force: a call left standing binds to whichever copy of a function is in memory, and the
    process that compiled has others than those that load, with other roundings.
    """
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(CACHE) if _writable(CACHE) else before
    try:
        options: Any = {"fastmath": True, "nogil": True, "error_model": "numpy", "forceinline": True}
        return numba.njit(cache=True, **options)(function)
    finally:
        settings.CACHE_DIR = before


def _cache_folder() -> Path:
    """$XDG_CACHE_HOME/semcorr_ros/kernels-<version>, ~/.cache by default."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return root / "semcorr_ros" / f"kernels-{digest.hexdigest()[:12]}"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


CACHE = _cache_folder()
