"""What a node has told, without ROS: an object and its points, as `ask` prints them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A named point of an object."""

    name: str
    state: str  # name of a KeypointState
    pixel: tuple[float, float]  # of the original image; NaN = unknown
    xyz: tuple[float, float, float]  # metres, in the frame of the answer; NaN = unknown
    score: float  # [0, 1]


@dataclass(frozen=True)
class Found:
    """An object that a node found."""

    class_name: str
    instance_id: str  # of an object that is followed; empty: it is not
    frame: str
    stamp: tuple[int, int]  # seconds and nanoseconds, of the picture
    confidence: float  # [0, 1]
    metric: bool
    note: str  # caveat on the numbers
    points: tuple[Point, ...]

    def __getitem__(self, name: str) -> Point:
        """Return a point by its name. Raises KeyError naming those there are."""
        for point in self.points:
            if point.name == name:
                return point
        raise KeyError(f"no point {name!r}; there are: {', '.join(point.name for point in self.points)}")
