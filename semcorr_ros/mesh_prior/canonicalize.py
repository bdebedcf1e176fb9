"""Yaw: the multiple of 90 degrees by which a mesh is turned against its category (Geometry Matters, 3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from semcorr_ros.geometry.rotations import from_vector
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.azimuth import Azimuth
from semcorr_ros.mesh_prior.views import MeshView

QUARTER_DEG = 90


def vote(views: Sequence[MeshView], azimuth: Azimuth) -> tuple[int, float]:
    """Return the turn in degrees that most views see the mesh's front at, and their share of the votes.

    Every view votes for the multiple of 90 degrees that closes the gap between where it was rendered from and
    where it seems to be seen from; a vote counts what the estimate is worth. Raises ValueError where no view
    can tell.
    """
    votes = dict.fromkeys(range(0, 360, QUARTER_DEG), 0.0)
    for view in views:
        seen_from, worth = azimuth(view)
        if worth > 0 and math.isfinite(seen_from):
            votes[round((view.azimuth_deg - seen_from) / QUARTER_DEG) % 4 * QUARTER_DEG] += worth
    if not any(votes.values()):
        raise ValueError("no view tells where its front is")
    turn = max(votes, key=lambda turn: votes[turn])
    return turn, votes[turn] / sum(votes.values())


def canonicalized(mesh: PosedMesh, turn_deg: int, share: float) -> PosedMesh:
    """Turn the object frame so that the front comes to +x; before the camera the surface stays."""
    turned = mesh if turn_deg == 0 else mesh.turned(_about_z(-turn_deg))
    return replace(turned, measures=mesh.measures | {"yaw_deg": float(turn_deg), "yaw_votes": share})


def _about_z(degrees: int) -> torch.Tensor:
    # Exact, so that four turns are none.
    return from_vector(torch.tensor([0.0, 0.0, math.radians(degrees)], dtype=torch.float64)).round().float()
