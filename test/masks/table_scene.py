"""What a depth camera sees of boxes on a table: rays and axis-aligned boxes, no renderer."""

from __future__ import annotations

import math

import numpy as np
import torch

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.geometry import cameras

SIZE = (240, 320)
CAMERA = cameras.centered(300.0, SIZE)
TILT = math.radians(40)  # below the horizon
EYE = np.array([0.0, -0.6, 0.55])  # metres above and before the middle of the table
FORWARD = np.array([0.0, math.cos(TILT), -math.sin(TILT)])
RIGHT = np.array([1.0, 0.0, 0.0])
DOWN = np.cross(FORWARD, RIGHT)

Block = tuple[tuple[float, float, float], tuple[float, float, float]]  # low and high corner, metres, z up
TABLE: Block = ((-0.6, -0.5, -0.05), (0.6, 0.5, 0.0))


def open_box(
    x: float, y: float, side: float = 0.08, height: float = 0.09, wall: float = 0.006
) -> list[Block]:
    """Walls and floor, open above: as a cup is."""
    h = side / 2
    low, high = (x - h, y - h), (x + h, y + h)
    return [
        ((*low, 0.0), (*high, wall)),
        ((*low, 0.0), (x - h + wall, y + h, height)),
        ((x + h - wall, y - h, 0.0), (*high, height)),
        ((*low, 0.0), (x + h, y - h + wall, height)),
        ((x - h, y + h - wall, 0.0), (*high, height)),
    ]


def look(blocks: list[Block], noise: float = 0.0) -> tuple[DepthMap, np.ndarray]:
    """Depth of the table and the blocks, and which pixels show a block. noise: metres."""
    rays = _rays()
    table = _first(rays, TABLE)
    block = np.min([_first(rays, one) for one in blocks], axis=0) if blocks else np.full(SIZE, np.inf)
    depth = np.minimum(table, block)
    depth = depth + noise * np.random.default_rng(0).standard_normal(SIZE)
    values = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    return DepthMap(torch.from_numpy(values), True), block < table


def box_of(shown: np.ndarray, margin: int = 6) -> tuple[int, int, int, int]:
    """A detector's box."""
    rows, columns = np.nonzero(shown)
    x, y = columns.min() - margin, rows.min() - margin
    return int(x), int(y), int(np.ptp(columns) + 1 + 2 * margin), int(np.ptp(rows) + 1 + 2 * margin)


def _rays() -> np.ndarray:
    """(h, w, 3) world, of length 1 along the optical axis."""
    x, y = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    center, focal = CAMERA.principal_point.numpy(), CAMERA.focal.numpy()
    u, v = (x - center[0]) / focal[0], (y - center[1]) / focal[1]
    return FORWARD + u[..., None] * RIGHT + v[..., None] * DOWN


def _first(rays: np.ndarray, block: Block) -> np.ndarray:
    """Depth of the first hit, infinite for a miss."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = ((np.array(corner) - EYE) / rays for corner in block)
    near, far = np.minimum(one, other).max(-1), np.maximum(one, other).min(-1)
    return np.where((near <= far) & (near > 0), near, np.inf)
