"""An object on a floor, seen by one camera from evenly spaced points of a circle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from semcorr_lab.synthetic import categories, surroundings
from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.scene import Scene, SceneConfig, sample_scene, view
from semcorr_lab.synthetic.viewpoint import Viewpoint
from semcorr_ros.artifacts import CategoryInfo

_FILL = 0.55
_SWAY_DEG = 8.0  # by which the elevation rises and falls along the circle


@dataclass(frozen=True)
class Turntable:
    """Same values, same pictures. Raises ValueError for values that make no picture."""

    category: str = "mug"
    seed: int = 0
    views: int = 24  # points on the circle
    size: tuple[int, int] = (480, 640)  # (h, w)
    azimuth_deg: float = 180.0  # middle of the arc; 0 looks at the object's front
    reach_deg: float = 180.0  # to both sides of the middle; 180 is the whole circle
    elevation_deg: float = 35.0
    horizontal_fov_deg: float = 50.0

    def __post_init__(self) -> None:
        if self.views < 1 or min(self.size) < 16:
            raise ValueError(f"need a view and 16 pixels, got {self.views} views of {self.size} pixels")
        if not 0 < self.horizontal_fov_deg < 150:
            raise ValueError(f"horizontal_fov_deg must be in (0, 150), got {self.horizontal_fov_deg}")

    @property
    def info(self) -> CategoryInfo:
        """Describe the category. Raises ValueError listing those there are for an unknown one."""
        return categories.load(self.category).INFO

    @cached_property
    def instance(self) -> Instance:
        """Make the object."""
        return categories.load(self.category).generate(np.random.default_rng(self.seed))

    def scene(self, index: int) -> Scene:
        """Return the scene of the index-th view; the circle closes after `views`."""
        return view(self._scene, self._viewpoint(index))

    @cached_property
    def _scene(self) -> Scene:
        rng = np.random.default_rng([self.seed, 1])
        # No walls: the camera would pass behind them.
        config = SceneConfig(size=self.size, clutter=False, occluders=False, background=False)
        scene = sample_scene(rng, self.instance, config, self._viewpoint(0))
        floor = surroundings.ground(rng, self.instance.bounds, self.instance.size)
        bodies = (*scene.bodies, floor)
        return replace(scene, bodies=bodies, caster=RayCaster([body.mesh for body in bodies]))

    def _viewpoint(self, index: int) -> Viewpoint:
        turn = 2 * np.pi * (index % self.views) / self.views
        middle, reach = (
            (0.0, min(self.reach_deg, 60.0)) if self.info.flat else (self.azimuth_deg, self.reach_deg)
        )
        # Less than a circle is swept forth and back.
        azimuth = middle + (np.degrees(turn) if reach >= 180 else reach * np.sin(turn))
        elevation = self.elevation_deg + _SWAY_DEG * np.sin(2 * turn)
        return Viewpoint(
            azimuth_deg=float(azimuth),
            elevation_deg=float(elevation),
            horizontal_fov_deg=self.horizontal_fov_deg,
            fill=_FILL,
        )
