"""Yaw: the multiple of 90 degrees by which a mesh is turned against its category (Geometry Matters, 3.1)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from semcorr_ros.geometry.rotations import from_vector
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.azimuth import Azimuth
from semcorr_ros.mesh_prior.views import MeshView

QUARTER_DEG = 90
LEAST_VOTES = 0.375  # of the views: three of eight; by chance a quarter of them agree


def vote(views: Sequence[MeshView], azimuth: Azimuth) -> tuple[int, float]:
    """Return the turn in degrees that most views see the mesh's front at, and their share.

    Every view votes for the multiple of 90 degrees that closes the gap between where it was rendered from and
    where it seems to be seen from. Raises ValueError where no view can tell.
    """
    gaps = [view.azimuth_deg - azimuth(view) for view in views]
    told = [round(gap / QUARTER_DEG) % 4 * QUARTER_DEG for gap in gaps if math.isfinite(gap)]
    if not told:
        raise ValueError("no view tells where its front is")
    votes = Counter(told)
    turn = min(votes, key=lambda turn: (-votes[turn], turn))
    return turn, votes[turn] / len(views)


def canonicalized(mesh: PosedMesh, turn_deg: int, share: float) -> PosedMesh:
    """Turn the object frame so that the front comes to +x; before the camera the surface stays."""
    turned = mesh if turn_deg == 0 else mesh.turned(_about_z(-turn_deg))
    return replace(turned, measures=mesh.measures | {"yaw_deg": float(turn_deg), "yaw_votes": share})


def _about_z(degrees: int) -> torch.Tensor:
    # Exact, so that four turns are none.
    return from_vector(torch.tensor([0.0, 0.0, math.radians(degrees)], dtype=torch.float64)).round().float()
