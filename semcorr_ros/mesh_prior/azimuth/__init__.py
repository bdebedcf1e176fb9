"""From a picture of an object to the azimuth it is seen from: one estimator per file.

A file says `PLUGIN = Plugin(Settings, Estimator)`; what it builds is an `AzimuthEstimator`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from semcorr_ros.mesh_prior.views import MeshView
from semcorr_ros.registry import Plugin, Registry

Azimuth = Callable[[MeshView], tuple[float, float]]  # degrees, and what that is worth; 0: it cannot tell


class AzimuthEstimator(Protocol):
    """Tells from where an object is seen: 0 sees its front, 90 its left side."""

    @property
    def side(self) -> int:
        """Pixels per side of the views that it looks at."""
        ...

    @property
    def identity(self) -> str:
        """Tell what the estimates depend on beside the views."""
        ...

    def of_category(self, category: Sequence[Sequence[MeshView]]) -> Azimuth:
        """Look at the views of all meshes of a category, and return the estimator for one of them.

        It must not use `azimuth_deg` of the view that it is asked about. Raises ValueError where the category
        does not suffice.
        """
        ...


ESTIMATORS: Registry[Plugin[AzimuthEstimator]] = Registry(__name__, Plugin)
