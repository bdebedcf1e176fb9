"""What a confidence is worth: the share of right answers among those that are about as sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.depth_cameras.replies import BOXED, WHOLE, Reply
from benchmark.depth_cameras.report import GOOD

BINS = 10
VARIANTS = ("depth", "color")


@dataclass(frozen=True)
class Bin:
    """Placements of which the confidence is in [low, high); the last bin has its end, too."""

    low: float
    high: float
    count: int
    right: int
    confidence: float | None  # their mean

    @property
    def share(self) -> float | None:
        """Return the share of right ones."""
        return self.right / self.count if self.count else None


def curves(replies: Sequence[Reply]) -> dict[str, list[Bin]]:
    """Bin what was placed with and without depth, in boxes and in whole pictures.

    Refused placements count, since a limit is chosen by them; what was not placed at all has no confidence.
    A stream tells the same confidences again, and none of what it refuses: it is left out.
    """
    placed = [r for r in replies if r.pixels and r.where in (WHOLE, BOXED)]
    return {variant: bins([r for r in placed if r.variant == variant]) for variant in VARIANTS}


def bins(replies: Sequence[Reply]) -> list[Bin]:
    """Sort placements into fixed bins. One around another thing can only be wrong."""
    found = []
    for i in range(BINS):
        mine = [r for r in replies if min(int(r.confidence * BINS), BINS - 1) == i]
        right = sum(r.real and r.pck >= GOOD for r in mine)
        average = sum(r.confidence for r in mine) / len(mine) if mine else None
        found.append(Bin(i / BINS, (i + 1) / BINS, len(mine), right, average))
    return found


def expected_error(found: Sequence[Bin]) -> float | None:
    """Average |share of right ones - mean confidence| over all placements; None where there are none."""
    filled = [(one.count, one.share, one.confidence) for one in found]
    total = sum(count for count, _, _ in filled)
    if not total:
        return None
    away = [n * abs(share - sure) for n, share, sure in filled if share is not None and sure is not None]
    return sum(away) / total


def overconfidence(found: Sequence[Bin]) -> float | None:
    """Average the confidence minus the share of right ones; above 0: it promises too much."""
    total = sum(one.count for one in found)
    if not total:
        return None
    promised = sum(one.count * one.confidence for one in found if one.confidence is not None)
    return (promised - sum(one.right for one in found)) / total
