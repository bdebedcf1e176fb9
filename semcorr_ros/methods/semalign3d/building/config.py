"""Every constant of the build. Lengths without a unit are canonical: the RMS keypoint radius is 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildConfig:
    """Defaults suit 5 to 200 images with up to 30 keypoints."""

    mirror: bool = True  # double the views by mirroring where the flip table passes its check
    # Pixels of an object's longer side: every picture is also learned as small as a robot's camera sees it.
    # 0: it is not.
    coarse: int = 80
    mend_swapped_sides: bool = True  # exchange left and right where an annotator swapped them
    # Reading depth; shares of the longer image side, except where said otherwise.
    depth_window: float = 0.005  # radius around a keypoint in which its depth is read
    snap_limit: float = 0.04  # a keypoint farther than this from usable depth is dropped
    depth_edge: float = 0.08  # share of the object's depth extent that counts as a step between surfaces
    surface_points: int = 1200  # object pixels per view that are carried into the dense cloud
    # Focal lengths, in units of the longer image side.
    focal_range: tuple[float, float] = (0.4, 12.0)
    focal_steps: int = 200
    focal_combinations: int = 1500
    # Statistics
    max_combinations: int = 4000  # per family, the most informative ones
    min_views: int = 2  # that must show a combination
    perturbation: float = 0.03  # noise of a keypoint, canonical units, that the statistics must forgive
    max_concentration: float = 500.0  # cap of alpha and of beta
    # Shape
    shape_modes: int = 6
    refine_steps: int = 150
    # Dense cloud and prototypes
    dense_points: int = 800
    dense_neighbors: int = 50
    density_threshold: float = 0.25  # share of the mean cluster occupancy below which a cluster is dropped
    hull_tolerance: float = 0.5  # distance beyond the hull of a view's keypoints that is still carried
    similarity_std_floor: float = 0.03

    def __post_init__(self) -> None:
        for name in ("surface_points", "dense_points", "dense_neighbors", "max_combinations", "min_views"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.coarse < 0:
            raise ValueError(f"coarse must be at least 0, got {self.coarse}")
        low, high = self.focal_range
        if not 0 < low < high:
            raise ValueError(f"focal_range must be 0 < low < high, got {self.focal_range}")
