"""A user who corrects what is off and confirms: clicks, keys and seconds that it takes.

Seconds are those of the keystroke-level model (S. Card, T. Moran, A. Newell, CACM 1980): 1.1 to point, 0.2
for a click, twice for a drag, 0.28 for a key, 1.35 to look and decide: once a keypoint from scratch, and
where all are proposed once a picture and once a correction; and the time that the proposal was waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import dist

from benchmark.teach.camera import Shown
from semcorr_ros.teach.state import Mark

TOLERATED = 0.05  # of the object's longer side: what is nearer is left as it is
POINT, CLICK, KEY, THINK = 1.1, 0.2, 0.28, 1.35


@dataclass(frozen=True)
class Effort:
    """What a picture cost."""

    clicks: int  # clicks, drags and keys
    seconds: float


def from_scratch(truth: Shown) -> Effort:
    """Click every visible keypoint, say of every other one that it is hidden, confirm."""
    seen = sum(pixel is not None for pixel in truth.keypoints.values())
    hidden = len(truth.keypoints) - seen
    seconds = seen * (THINK + POINT + CLICK) + hidden * (THINK + KEY) + KEY
    return Effort(seen + hidden + 1, seconds)


def corrected(
    truth: Shown, proposed: Mapping[str, Mark], waited: float
) -> tuple[dict[str, Mark], Effort, dict[str, int]]:
    """Correct a proposal; return the marks that are confirmed, the effort, and what was wrong."""
    marks: dict[str, Mark] = {}
    wrong = {"moved": 0, "hidden": 0, "shown": 0}
    seconds = waited + THINK + KEY
    for name, true in truth.keypoints.items():
        mark = proposed.get(name)
        marks[name] = mark
        if true is not None and mark is not None:
            if dist(true, mark) > TOLERATED * truth.side:
                wrong["moved"], marks[name] = wrong["moved"] + 1, true
                seconds += THINK + 2 * POINT + 2 * CLICK
        elif true is not None:
            wrong["shown"], marks[name] = wrong["shown"] + 1, true
            seconds += THINK + 2 * POINT + 2 * CLICK  # its name, then its place
        elif mark is not None:
            wrong["hidden"], marks[name] = wrong["hidden"] + 1, None
            seconds += THINK + POINT + KEY
    clicks = wrong["moved"] + 2 * wrong["shown"] + wrong["hidden"] + 1
    return marks, Effort(clicks, seconds), wrong
