"""The compiled kernels of this version for this processor: found, or compiled once and kept, and loaded.

They come with a colcon build. Where they do not (pip install, sources alone), they are compiled into the
first of these folders that can be written: $SEMCORR_KERNELS, or $XDG_CACHE_HOME/semcorr_ros (~/.cache),
then a folder of this user in the system's temporary one, then one of this process.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import logging
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import semcorr_ros
from semcorr_ros.methods.semalign3d.alignment.compiled import layout
from semcorr_ros.methods.semalign3d.alignment.compiled.build import (
    Compilation,
    Unavailable,
    file_name,
    variants,
)

COST = "about 3 s of one core, once"
FOLDER_VARIABLE = "SEMCORR_KERNELS"
STOPPING_TIME = 1.0  # seconds a thread has to notice that its compiler was stopped
LOG = logging.getLogger(__name__)


class Kernels:
    """The library of a process, obtained once, whoever asks first; others wait. A failure is remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._failure = ""
        self._stopped = False
        self._compilation: Compilation | None = None

    def load(self) -> Any:
        """Load the library; if there is none yet, compile it and say so in the log. Raises Unavailable."""
        if self._library is None:
            with self._lock:
                if self._failure:
                    raise Unavailable(self._failure)
                try:
                    self._library = self._library or _opened(find() or self._compiled())
                except Unavailable as error:
                    self._failure = str(error)
                    raise
        return self._library

    def stop(self) -> None:
        """End the compiler, if one is at work for another thread: `load` then fails there, and clears up."""
        self._stopped = True
        if self._compilation is not None:
            self._compilation.stop()
        if self._lock.acquire(timeout=STOPPING_TIME):
            self._lock.release()

    def _compiled(self) -> Path:
        atexit.register(self.stop)  # a process that a signal ends while its node is still being made
        with begin() as self._compilation:
            if self._stopped:
                raise Unavailable("the process ends")
            LOG.warning("compiling the alignment kernels (%s) ...", COST)
            path = self._compilation.library()
            LOG.warning("compiled the alignment kernels in %.1f s: %s", self._compilation.seconds, path)
        return path


KERNELS = Kernels()


def load() -> Any:
    """Load the library of this process. Raises Unavailable."""
    return KERNELS.load()


def find() -> Path | None:
    """Find the fastest library that is there and that this processor runs."""
    for variant, _ in variants():
        for folder in _folders():
            path = folder / file_name(variant)
            if path.is_file() and _trusted(folder):
                return path
    return None


def begin() -> Compilation:
    """Start compiling what `find` does not find. Raises Unavailable."""
    problems = []
    for place in (*_kept(), None):
        try:
            folder = place or Path(_of_this_process().name)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _trusted(folder):
                raise PermissionError(f"{folder} belongs to somebody else, or others may write there")
            return Compilation(folder)
        except OSError as error:
            problems.append(str(error))
    raise Unavailable(f"no folder to compile the kernels in ({'; '.join(problems)}); set {FOLDER_VARIABLE}")


def _opened(path: Path) -> Any:
    try:
        library = ctypes.CDLL(str(path))
        layout.declare(library)
    except (OSError, AttributeError) as error:
        raise Unavailable(f"the kernels in {path} cannot be loaded: {error}; delete the file") from error
    return library


def _folders() -> Iterator[Path]:
    """List the folders where a library may lie."""
    if not os.environ.get(FOLDER_VARIABLE):
        for root in semcorr_ros.__path__:  # the sources, and the install space of colcon
            yield Path(root, *__package__.split(".")[1:])
    yield from _kept()


def _kept() -> Iterator[Path]:
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        yield Path(chosen)
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        if os.path.isabs(cache):  # a user without a home has none
            yield Path(cache) / "semcorr_ros"
    shared = _shared()
    if shared is not None:
        yield shared


def _shared() -> Path | None:
    try:
        return Path(tempfile.gettempdir()) / f"semcorr_ros-{os.getuid()}"
    except FileNotFoundError:  # no temporary folder can be written
        return None


@functools.cache
def _of_this_process() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="semcorr_ros-")


def _trusted(folder: Path) -> bool:
    """Tell whether a folder that anybody could have made is this user's alone: its code is executed."""
    if folder != _shared():
        return True
    found = folder.lstat()
    return found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o022 == 0
