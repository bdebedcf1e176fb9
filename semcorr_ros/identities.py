"""Which object of this picture is which of the last: numbers that stay with an object.

Objects of a class are matched one to one so that they move least (Hungarian algorithm), in metres where
both positions are metric and in pixels otherwise, as shares of the object's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

GATE = 1.0  # sizes an object may move from one sighting to the next
FORGET = 5.0  # seconds out of sight after which a number is free again
IMPOSSIBLE = 1e6

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Sighting:
    """An object in one picture. Lengths are in the unit of the position they belong to."""

    pixel: tuple[float, float]
    extent_px: float
    position: tuple[float, float, float] | None = None  # metres, camera frame; None: not metric
    extent: float = 0.0
    tracker_id: str = ""  # the detector's own number, which overrides distance; empty: none


@dataclass(frozen=True)
class _Track:
    number: int
    sighting: Sighting
    time: float


class Identities:
    """Recently observed objects, by class. One instance per camera."""

    def __init__(self) -> None:
        self._tracks: dict[str, list[_Track]] = {}
        self._now = -math.inf

    def assign(self, name: str, sightings: Sequence[Sighting], time: float) -> list[int]:
        """Assign a number to each sighting of class `name` at `time` (seconds, of the picture)."""
        numbers = self.match(name, sightings, time)
        tracks = {track.number: track for track in self._tracks.get(name, [])}
        taken = {*tracks, *(number for number in numbers if number is not None)}
        result = []
        for sighting, matched in zip(sightings, numbers, strict=True):
            number = matched
            if number is None:
                number = next(i for i in range(len(taken) + 1) if i not in taken)
            taken.add(number)
            before = tracks.get(number)
            if before is not None and not sighting.tracker_id:
                sighting = replace(sighting, tracker_id=before.sighting.tracker_id)
            tracks[number] = _Track(number, sighting, time)
            result.append(number)
        self._tracks[name] = list(tracks.values())
        return result

    def match(self, name: str, sightings: Sequence[Sighting], time: float) -> list[int | None]:
        """Find the number each sighting already has, None for a new object. Stores nothing."""
        self._advance(time)
        tracks = self._tracks.get(name, [])
        numbers: list[int | None] = [None] * len(sightings)
        if not tracks or not sightings:
            return numbers
        costs = np.array([[_cost(sighting, track.sighting) for track in tracks] for sighting in sightings])
        costs = np.minimum(costs, GATE)  # how far beyond the gate must not affect the other matches
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if costs[row, column] < GATE:
                numbers[row] = tracks[column].number
        return numbers

    def clear(self) -> None:
        """Forget everything."""
        self._tracks = {}

    def _advance(self, time: float) -> None:
        if time < self._now - 1.0:  # a bag has started again
            self.clear()
        self._now = time
        for name, tracks in list(self._tracks.items()):
            self._tracks[name] = [track for track in tracks if time - track.time <= FORGET]


def _cost(a: Sighting, b: Sighting) -> float:
    """Compute the distance in object sizes; a tracker's own number overrides distance."""
    if a.tracker_id and b.tracker_id:
        return -IMPOSSIBLE if a.tracker_id == b.tracker_id else IMPOSSIBLE
    if a.position is not None and b.position is not None:
        return _share(math.dist(a.position, b.position), max(a.extent, b.extent))
    return _share(math.dist(a.pixel, b.pixel), max(a.extent_px, b.extent_px))


def _share(distance: float, extent: float) -> float:
    return distance / extent if extent > 0 and math.isfinite(distance) else IMPOSSIBLE


def duplicates(sightings: Sequence[Sighting], scores: Sequence[float], share: float = 0.3) -> set[int]:
    """Find rows that duplicate one with a higher score: nearer to it than `share` object sizes."""
    dropped: set[int] = set()
    order = sorted(range(len(sightings)), key=lambda row: -scores[row])
    for i, row in enumerate(order):
        kept = [other for other in order[:i] if other not in dropped]
        if any(_cost_by_place(sightings[row], sightings[other]) < share for other in kept):
            dropped.add(row)
    return dropped


def _cost_by_place(a: Sighting, b: Sighting) -> float:
    return _cost(replace(a, tracker_id=""), replace(b, tracker_id=""))
