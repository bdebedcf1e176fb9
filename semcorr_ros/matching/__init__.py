"""Matchers: one per file, found by name.

A matcher file defines NEEDS_ALIGNMENT and `match(model, source, target, points)`, where source and
target are `View`s. A matcher with NEEDS_ALIGNMENT = False ignores model and alignments. It may also
define `similarity`, with the same arguments, giving (point, height, width) over the target's cells.
"""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros.artifacts import Observation
from semcorr_ros.methods.semalign3d.artifacts import Alignment


@dataclass(frozen=True)
class View:
    """An observation and, for matchers that need it, the class aligned to it."""

    seen: Observation
    aligned: Alignment | None = None
