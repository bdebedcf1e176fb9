"""A ROS domain for each test process: pytest-xdist's workers, and suites of other checkouts, hear nothing of
each other.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DOMAINS = 101  # higher ones need ports that Linux hands out to others


@contextmanager
def own_domain() -> Iterator[int]:
    """Hold a domain in 1..101 that nobody on this machine holds, until the context or the process ends.

    Raises RuntimeError if all of them are held.
    """
    for number in range(DOMAINS):
        domain = 1 + (os.getpid() + number) % DOMAINS
        lock = _opened(Path(tempfile.gettempdir()) / f"semcorr_ros_test_domain_{domain}")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield domain
        finally:
            os.close(lock)
        return
    raise RuntimeError(f"all ROS domains from 1 to {DOMAINS} are held by other test processes")


def _opened(path: Path) -> int:
    """A file descriptor that can be locked, also where the file belongs to another user."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY)
