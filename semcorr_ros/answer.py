"""`Answer`: what is told of an object in a picture. Messages, JSON, bags and overlays render it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo, Correspondences, KeypointState, Pose
from semcorr_ros.refusal import Refusal

if TYPE_CHECKING:
    from semcorr_ros.methods import Placed


@dataclass(frozen=True)
class Answer:
    """An object with its named points, or the reason why it was refused.

    Pixels are those of the original image, positions are in the camera's optical frame. Of an object that was
    refused every point is REJECTED and without position; its pose and confidence say how bad it is.
    """

    info: CategoryInfo  # of the class
    names: tuple[str, ...]
    points: Correspondences  # one row per name
    confidence: float  # [0, 1]; NaN: nothing was placed
    pose: Pose | None = None
    refusal: Refusal | None = None
    note: str = ""  # caveat on the numbers, a sentence
    edges: tuple[tuple[int, int], ...] = ()  # skeleton, as rows of `names`
    instance_id: str = ""  # of an object in a stream
    # The placement it describes: `follow` and `transfer` start from it.
    placed: Placed | None = field(default=None, repr=False, compare=False)

    @property
    def found(self) -> bool:
        """Whether the object was found and not refused."""
        return self.refusal is None

    @property
    def states(self) -> tuple[KeypointState, ...]:
        """State of every point."""
        return tuple(map(KeypointState, self.points.state.tolist()))

    @property
    def pixels(self) -> Float[Tensor, "point 2"]:
        """In the original image."""
        return self.points.points

    @property
    def xyz(self) -> Float[Tensor, "point 3"]:
        """In metres, camera frame; NaN where unknown."""
        return self.points.xyz

    @property
    def scores(self) -> Float[Tensor, "point"]:
        """In [0, 1]."""
        return self.points.score

    @property
    def covariances(self) -> Float[Tensor, "point 3 3"] | None:
        """Of `xyz`, in square metres; None or NaN where unknown."""
        return self.points.covariance

    def only(self, names: Sequence[str]) -> Answer:
        """Keep these points, in this order. Raises ValueError for an unknown name."""
        for name in names:
            if name not in self.names:
                raise ValueError(
                    f"class {self.info.name!r} has no keypoint {name!r}; it has {', '.join(self.names)}"
                )
        rows = torch.tensor([self.names.index(name) for name in names], dtype=torch.long)
        row = {old: new for new, old in enumerate(rows.tolist())}
        edges = tuple((row[a], row[b]) for a, b in self.edges if a in row and b in row)
        return replace(self, names=tuple(names), points=subset(self.points, rows), edges=edges)


def surer(one: Answer, other: Answer) -> Answer:
    """Choose the answer with the higher confidence; the first where neither placed anything."""
    return other if math.isnan(one.confidence) or other.confidence > one.confidence else one


def subset(points: Correspondences, rows: Int[Tensor, "row"]) -> Correspondences:
    """Select rows of points."""
    rows = rows.to(points.state.device)
    covariance = None if points.covariance is None else points.covariance[rows]
    return Correspondences(
        points.points[rows], points.score[rows], points.state[rows], points.xyz[rows], covariance
    )


def nowhere(count: int) -> Correspondences:
    """Make points of an object that was not found."""
    state = torch.full((count,), int(KeypointState.REJECTED))
    unknown = torch.full((count, 2), torch.nan)
    return Correspondences(unknown, torch.zeros(count), state, torch.full((count, 3), torch.nan))


def refused(info: CategoryInfo, refusal: Refusal, names: Sequence[str] | None = None) -> Answer:
    """Make the answer of an object that was not found at all."""
    edges = info.edges if names is None else ()
    names = info.keypoint_names if names is None else names
    return Answer(info, tuple(names), nowhere(len(names)), float("nan"), refusal=refusal, edges=edges)
