"""One thing that `doctor` has to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Finding:
    """`fix` is empty where there is nothing to do."""

    level: Level
    about: str  # e.g. "topic image"
    what: str
    fix: str = ""


def ok(about: str, what: str) -> Finding:
    """Say that all is well."""
    return Finding(Level.OK, about, what)


def warn(about: str, what: str, fix: str) -> Finding:
    """Warn that it works, but not as it should."""
    return Finding(Level.WARN, about, what, fix)


def error(about: str, what: str, fix: str) -> Finding:
    """Report that it cannot work."""
    return Finding(Level.ERROR, about, what, fix)
