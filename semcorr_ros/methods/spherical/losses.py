"""The four losses of Spherical Maps, as pure functions (Eqs. 1, 2, 4, 5 and the authors' release)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

BINS = 8  # of the azimuth
TRIPLETS = 32  # per picture
MARGIN = 0.5  # of `relative_distance`
SQUARE_ENOUGH = 0.7  # |d_I| of a triplet whose orientation is asked for


@dataclass(frozen=True)
class Hinge:
    """How `orientation` punishes: max(threshold - d_S, 0) ** power."""

    threshold: float
    power: int


HINGES = {"released": Hinge(1.0, 2), "paper": Hinge(SQUARE_ENOUGH, 1)}


@dataclass(frozen=True)
class Triplets:
    """Three patches of one picture each: places in it, rows and columns in [0, 1], and on the sphere."""

    places: Float[Tensor, "triplet 3 2"]
    spheres: Float[Tensor, "triplet 3 3"]


def reconstruction(
    features: Float[Tensor, "patch channel"], rebuilt: Float[Tensor, "patch channel"]
) -> Float[Tensor, ""]:
    """Average 1 - cosine over patches on objects (Eq. 1); 0 without any."""
    if not len(features):
        return features.new_zeros(())
    return (1 - functional.cosine_similarity(features, rebuilt, dim=-1)).mean()


def viewpoint(
    spheres: Float[Tensor, "picture h w 3"],
    mask: Bool[Tensor, "picture h w"],
    towards: Float[Tensor, "picture 3"],
) -> Float[Tensor, ""]:
    """Compare mean directions of the maps with those of the viewpoints (Eq. 2), also across categories.

    towards: unit vectors from the object to the camera, such as `direction_of` a coarse azimuth; NaN =
    unknown, which takes no part, as a picture without an object does.
    """
    known = torch.isfinite(towards).all(-1) & mask.flatten(1).any(1)
    if not known.any():
        return spheres.new_zeros(())
    means = (spheres * mask[..., None]).flatten(1, 2).mean(1)[known]
    means = functional.normalize(means, dim=-1)
    return functional.mse_loss(means @ means.T, towards[known] @ towards[known].T)


def direction_of(turn: float) -> Float[Tensor, "3"]:
    """Return the horizontal direction of an azimuth in turns."""
    angle = 2 * math.pi * turn
    return torch.tensor([math.cos(angle), math.sin(angle), 0.0])


def draw_triplets(
    spheres: Float[Tensor, "picture h w 3"],
    mask: Bool[Tensor, "picture h w"],
    generator: torch.Generator,
    per_picture: int = TRIPLETS,
) -> Triplets:
    """Draw patches of objects, with replacement; none of pictures without an object."""
    _, h, w, _ = spheres.shape
    on = mask.flatten(1)
    there = on.any(1)
    weights = on[there].float().cpu()
    count = len(weights)
    drawn = (
        torch.multinomial(weights, 3 * per_picture, replacement=True, generator=generator)
        if count
        else torch.zeros(0, 3 * per_picture, dtype=torch.long)
    ).to(spheres.device)
    found = spheres[there].flatten(1, 2).gather(1, drawn[..., None].expand(-1, -1, 3))
    row, column = drawn.div(w, rounding_mode="floor"), drawn % w
    places = torch.stack([row / max(h - 1, 1), column / max(w - 1, 1)], -1)
    return Triplets(places.reshape(-1, 3, 2), found.reshape(-1, 3, 3))


def relative_distance(triplets: Triplets, margin: float = MARGIN) -> Float[Tensor, ""]:
    """Keep what is nearer in the picture nearer on the sphere (Eq. 4); 0 without a triplet."""
    anchor, b, c = triplets.spheres.unbind(1)
    if not len(anchor):
        return anchor.new_zeros(())
    to_b, to_c = ((triplets.places[:, i] - triplets.places[:, 0]).square().sum(-1) for i in (1, 2))
    b_is_nearer = (to_b < to_c)[:, None]
    positive, negative = torch.where(b_is_nearer, b, c), torch.where(b_is_nearer, c, b)
    difference = (anchor * negative).sum(-1) - (anchor * positive).sum(-1)
    return (difference + margin).clamp_min(0).mean()


def orientation(triplets: Triplets, hinge: Hinge = HINGES["released"]) -> Float[Tensor, ""]:
    """Keep what goes round counter-clockwise in the picture so on the sphere, seen from outside (Eq. 5).

    0 where no triplet spans an angle that is square enough.
    """
    turn, order = image_turn(triplets.places)
    chosen = turn.abs() > SQUARE_ENOUGH
    if not chosen.any():
        return triplets.spheres.new_zeros(())
    ordered = triplets.spheres.gather(1, order[..., None].expand(-1, -1, 3))[chosen]
    return (hinge.threshold - sphere_turn(ordered)).clamp_min(0).pow(hinge.power).mean()


def image_turn(
    places: Float[Tensor, "triplet 3 2"],
) -> tuple[Float[Tensor, "triplet"], Int[Tensor, "triplet 3"]]:
    """Compute d_I, the determinant of the unit vectors a -> b and a -> c, and the order that makes it
    positive."""
    first, second = (functional.normalize(places[:, i] - places[:, 0], dim=-1) for i in (1, 2))
    turn = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    straight = torch.tensor([0, 1, 2], device=places.device)
    swapped = torch.tensor([0, 2, 1], device=places.device)
    return turn, torch.where(turn[:, None] > 0, straight, swapped)


def sphere_turn(spheres: Float[Tensor, "triplet 3 3"]) -> Float[Tensor, "triplet"]:
    """Compute d_S: the sine of the angle from b to c about a, seen from outside the sphere."""
    a = spheres[:, 0]
    tangents = spheres[:, 1:] - a[:, None]
    tangents = tangents - (tangents * a[:, None]).sum(-1, keepdim=True) * a[:, None]
    first, second = functional.normalize(tangents, dim=-1).unbind(1)
    return (torch.linalg.cross(first, second) * a).sum(-1)
