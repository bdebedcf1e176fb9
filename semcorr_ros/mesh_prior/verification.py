"""Matches verified on the meshes: does the image's match agree with the one that the shapes give?

Bicyclic geodesic error (Section 3.2 of the paper): on the target's mesh, the distance between the place below
the matched cell and the vertex whose descriptor is nearest to that of the source's place; the same the other
way; the mean of both in diagonals of the meshes' boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros.mesh_prior.candidates import Candidates, nearest
from semcorr_ros.mesh_prior.geodesics import Geodesics
from semcorr_ros.mesh_prior.lifted_view import View

SPHERE_ANGLE = 0.15 * np.pi  # of DIY-SC's filter


@dataclass(frozen=True)
class Body:
    """The surface of a picture's object, to be measured on."""

    described: Float[Tensor, "V part"]  # of the vertices, unit length
    geodesics: Geodesics


def bicyclic_error(
    found: Candidates, views: tuple[View, View], bodies: tuple[Body, Body]
) -> Float[Tensor, "match"]:
    """Measure matches, source and target first and second; infinite where a mesh is not seen, or where one
    way is beyond the limit of the geodesics."""
    errors = torch.full((len(found),), torch.inf, dtype=torch.float64)
    seen = views[0].seen[found.source] & views[1].seen[found.target]
    cells = found.source[seen], found.target[seen]
    forward = _disagreement(views[0].descriptors[cells[0]], views[1].vertex[cells[1]], bodies[1])
    backward = _disagreement(views[1].descriptors[cells[1]], views[0].vertex[cells[0]], bodies[0])
    errors[seen] = (forward + backward) / 2
    return errors.float()


def _disagreement(
    asked: Float[Tensor, "match part"], place: Int[Tensor, "match"], body: Body
) -> Float[Tensor, "match"]:
    """Measure, on one mesh, from where the other one's descriptors point to the place of the match."""
    _, predicted = nearest(asked, body.described)
    # From the place: there are as many of these as cells, and the predictions are different for each pair.
    return torch.from_numpy(body.geodesics.between(place.numpy(), predicted.numpy())).double()


def sphere_agrees(
    source: Float[Tensor, "match 3"], target: Float[Tensor, "match 3"], angle: float = SPHERE_ANGLE
) -> Bool[Tensor, "match"]:
    """Tell which matches lie within an angle on a spherical map, inclusive: the filter of DIY-SC."""
    return (source * target).sum(-1) >= float(np.cos(angle)) - 1e-6
