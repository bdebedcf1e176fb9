"""A synthetic camera: rendered objects of a category from random sides, with depth and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros.artifacts import DepthMap, Frame

VIEWS = 36
SIZE = (300, 400)


@dataclass(frozen=True)
class Shown:
    """What the camera shows, and what is true about it."""

    frame: Frame
    keypoints: dict[str, tuple[float, float] | None]  # None: hidden
    box: tuple[float, float, float, float]  # of the object, x1, y1, x2, y2

    @property
    def side(self) -> float:
        """Longer side of the object's box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def shown(category: str, instance: int, draws: np.random.Generator) -> Shown:
    """Render an object of the category from a random side."""
    table = Turntable(category, instance, VIEWS, SIZE, elevation_deg=float(draws.uniform(20, 50)))
    made = render(table.scene(int(draws.integers(VIEWS))))
    rows = zip(table.info.keypoint_names, made.keypoints.tolist(), made.visible.tolist(), strict=True)
    return Shown(_frame(made), {name: (x, y) if seen else None for name, (x, y), seen in rows}, _box(made))


def _frame(made: Rendering) -> Frame:
    depth = DepthMap(torch.from_numpy(made.depth), metric=True)
    return Frame(torch.from_numpy(made.image), made.camera, depth)


def _box(made: Rendering) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(made.mask)
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())
