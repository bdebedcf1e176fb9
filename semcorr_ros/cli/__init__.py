"""Command line: one verb per file with `run(options) -> int`; its options are in _options/<verb>.py."""

from __future__ import annotations

import importlib
from typing import Any


def options_of(verb: str, package: str = "semcorr_ros") -> type[Any]:
    """Return the class of a verb's options: BuildClassOptions of build_class. The verb's module is not
    imported."""
    name = "".join(word.title() for word in verb.split("_"))
    found: type[Any] = getattr(importlib.import_module(f"{package}.cli._options.{verb}"), f"{name}Options")
    return found
