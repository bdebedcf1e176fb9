"""Move annotated points, such as the middle of a wheel, to the nearby surface one can see."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic.raycast import RayCaster

_REACH = 0.06  # of the object's size
_DIRECTIONS = 200
_OPEN = 0.3  # share of directions; the back of a wheel is seen from fewer
_LIFT = 1e-3  # of the object's size: start of the test rays above the surface


def exposed_points(caster: RayCaster, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
    """Find for each point the nearest surface point that is well visible from outside.

    Candidates are the nearest surface point and the first hits along the four horizontal axis
    directions, within 6 % of the object's size. A point with no surface nearby stays where it is.
    """
    corners = caster.triangles.reshape(-1, 3)
    size = float(np.linalg.norm(np.ptp(corners, axis=0)))
    return np.array([_best(caster, point, size) for point in points]).reshape(-1, 3)


def _best(caster: RayCaster, point: Float[np.ndarray, "3"], size: float) -> Float[np.ndarray, "3"]:
    candidates = _candidates(caster, point)
    distance = np.linalg.norm(candidates - point, axis=1)
    near = distance < _REACH * size
    if not near.any():
        return point
    candidates, distance = candidates[near], distance[near]
    seen = np.array([_exposure(caster, candidate, size) for candidate in candidates])
    open_enough = seen >= min(_OPEN, float(seen.max()))
    return candidates[int(np.where(open_enough, distance, np.inf).argmin())]


def _candidates(caster: RayCaster, point: Float[np.ndarray, "3"]) -> Float[np.ndarray, "candidate 3"]:
    triangles = caster.triangles.astype(float)
    closest = trimesh.triangles.closest_point(triangles, np.broadcast_to(point, (len(triangles), 3)))
    nearest = closest[int(np.linalg.norm(closest - point, axis=1).argmin())]
    # Not up or down: the lowest point of a wheel is well exposed, too.
    axes = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]])
    hits = caster.first_hits(np.broadcast_to(point, axes.shape), axes)
    along = point + axes * np.where(hits.face >= 0, hits.distance, np.inf)[:, None].clip(max=1e6)
    return np.concatenate([nearest[None], along[hits.face >= 0]])


def _exposure(caster: RayCaster, point: Float[np.ndarray, "3"], size: float) -> float:
    """Share of directions from which nothing hides the point."""
    i = np.arange(_DIRECTIONS) + 0.5
    z, turn = 1 - 2 * i / _DIRECTIONS, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    directions = np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)
    return float((~caster.blocked(point + directions * _LIFT * size, directions)).mean())
