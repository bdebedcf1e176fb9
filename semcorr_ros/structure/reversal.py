"""The depth reversal of a solution, and which of the two is right.

Seen by scaled orthographic cameras a shape and its mirror image in depth (Necker's cube) give the same
pictures. What tells them apart: perspective; that hidden keypoints are the farther ones; a sentence of the
user; and last, that photographs are taken from above rather than from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.structure.adjust import Terms, annotation_costs, rotated, shape_costs, view_costs
from semcorr_ros.structure.poses import hiding_costs
from semcorr_ros.structure.state import Sightings, State, concatenate

CLEAR = 10.0  # nats of all pictures together from which on the pictures decide
CLEAR_SHARE = 2.5  # and as a multiple of what the pictures' votes differ by, were they coin tosses
SAME = 0.9  # correlation of the depths of both from which on the reversal has fallen back to the solution
FROM_ABOVE = 2.0  # nats for photographs being taken from above


def reversed_depth(state: State, basis: Tensor) -> State:
    """Reverse depth, with the same pictures but for perspective.

    Mirrored shape (y -> -y), cameras below instead of above.
    """
    turn = torch.tensor([[1, -1, 1], [1, -1, 1], [-1, 1, -1]], dtype=torch.float64)
    across = torch.tensor([1, -1, 1], dtype=torch.float64)
    parts = torch.einsum("kap,bjp->bjka", basis, state.shape) * across
    shape = torch.einsum("kap,bjka->bjp", basis, parts) / basis.square().sum((0, 1))
    return replace(
        state, rotation=state.rotation * turn, shape=shape, focal_log=torch.zeros_like(state.focal_log)
    )


@dataclass(frozen=True)
class Nearer:
    """A sentence: keypoint `first` is nearer to the camera than `second`, in one image or in most of them."""

    first: int
    second: int
    view: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Which of two candidates is right, how clear that is, and what decided."""

    winner: int
    decided_by: str  # "pictures", "nearer" or "above"
    clear: bool  # False: the pictures alone do not tell
    annotations: tuple[float, float]  # mean cost of an annotation: the winner, then its reversal
    margin: float  # nats by which the pictures prefer the winner; below 0 where the sentence overruled them
    votes: tuple[int, int]  # images that prefer the winner, and all


def decide(pair: Sequence[tuple[State, Sightings]], terms: Terms, sentences: Sequence[Nearer]) -> Verdict:
    """Decide between two candidates, each with the labels that it believes.

    Raises ValueError where the sentences fit neither or both.
    """
    states = concatenate(*[state for state, _ in pair])
    hidden = torch.cat([hiding_costs(state, sights, terms.basis) for state, sights in pair])
    by_view = torch.cat([view_costs(state, sights, terms) for state, sights in pair]) + hidden
    total = by_view.sum(-1) + shape_costs(states, terms)
    wins = by_view[1] - by_view[0]
    gain = float(total[1] - total[0])
    spread = float((wins - wins.mean()).square().sum().sqrt())
    clear = abs(gain) > max(CLEAR, CLEAR_SHARE * spread) or _agreement(states, pair[0][1], terms.basis) > SAME
    winner, decided_by = (0 if gain >= 0 else 1), "pictures"
    if sentences:
        winner, decided_by = _by_sentences(states, terms, sentences), "nearer"
    elif not clear:
        above = _height(states)
        gain_above = gain + FROM_ABOVE * float(torch.sign(above[0]) - torch.sign(above[1]))
        winner, decided_by = (0 if gain_above >= 0 else 1), "above"
    order = [winner, 1 - winner]
    costs = [annotation_costs(state, sights, terms).sum() / sights.visible.sum() for state, sights in pair]
    annotations = torch.stack(costs)[order].tolist()
    sign = 1 if winner == 0 else -1
    votes = int((sign * wins > 0).sum()), len(wins)
    return Verdict(winner, decided_by, clear, tuple(annotations), sign * gain, votes)


def _agreement(pair: State, sights: Sightings, basis: Tensor) -> float:
    """Correlate the depths of the annotated keypoints, within the pictures."""
    shown = sights.visible.double()
    depth = rotated(pair, basis)[..., 2]
    middle = (depth * shown).sum(-1) / shown.sum(-1)
    off = (depth - middle[..., None]) * shown
    return float((off[0] * off[1]).sum() / (off[0].norm() * off[1].norm()).clamp_min(1e-12))


def _height(pair: State) -> Float[Tensor, "candidate"]:
    """Average the sine of the angle from which the cameras look down."""
    return -pair.rotation[..., 2, 2].mean(-1)


def _by_sentences(pair: State, terms: Terms, sentences: Sequence[Nearer]) -> int:
    depth = rotated(pair, terms.basis)[..., 2]
    fits = torch.zeros(2)
    for one in sentences:
        nearer = depth[..., one.first] < depth[..., one.second]
        fits += nearer.double().mean(-1) > 0.5 if one.view is None else nearer[:, one.view]
    if fits[0] == fits[1]:
        which = "both readings of the pictures" if fits[0] > 0 else "neither reading of the pictures"
        raise ValueError(
            f"--nearer fits {which}, so it does not tell them apart; name two keypoints of which one is "
            "clearly nearer to the camera, and one image in which that is so (A B IMAGE)"
        )
    return int(fits.argmax())
