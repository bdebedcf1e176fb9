"""Runs a verb, or reads its options, from words as on the command line."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from semcorr_ros.cli import options_of
from semcorr_ros.cli._command import parse


def options(verb: ModuleType, *words: object) -> Any:
    """The typed options. Raises ValueError for words that cannot be understood."""
    package, _, _, *_ = verb.__name__.split(".")
    return parse(options_of(verb.__name__.rpartition(".")[2], package), [str(word) for word in words])


def run(verb: ModuleType, *words: object) -> int:
    """Exit status."""
    return int(verb.run(options(verb, *words)))
