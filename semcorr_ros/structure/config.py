"""Every constant of the lift. Lengths without a unit are of the class's shape, whose RMS radius is 1."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LiftConfig:
    """Defaults suit 8 to 200 pictures with up to 30 keypoints; chosen on training photographs."""

    focal: float = 1.5  # of cameras that are not known, in units of the longer side of the image
    focal_spread: float = 0.4  # standard deviation of the logarithm of a focal length around it; 0: fixed
    modes: int = 3  # of deformation
    mode_size: float = 0.06  # standard deviation of a keypoint's coordinate along one mode
    slip: float = 0.1  # an annotation this far off, in units of the object's radius, counts half
    roll: float = 0.2  # how far the x axis of a camera is from level, as a sine; half weight there
    # Pictures from one side leave depth open, so it has a prior: an object as deep as it is wide and high
    # looks sqrt(2 / 3) of its RMS radius large. It is the apparent size that is held, not the RMS radius:
    # else a needle along the line of sight would deform for nothing.
    relief: float = 0.3  # standard deviation of the logarithm of that ratio from picture to picture
    starts: int = 24  # random shapes to begin from
    kept: int = 4  # of them, the best, from which perspective chooses
    steps: int = 30  # of Levenberg and Marquardt in every stage, at most
    rounds: int = 2  # of looking again for the camera of every picture, rigid and deforming

    def __post_init__(self) -> None:
        for name in ("focal", "mode_size", "slip", "roll", "relief"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("starts", "kept", "steps", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.modes < 0 or self.focal_spread < 0:
            raise ValueError(
                f"modes and focal_spread must be at least 0, got {self.modes}, {self.focal_spread}"
            )

    @property
    def scale_log(self) -> float:
        """Return what `State.scale_log` is expected to be."""
        return 0.5 * math.log(1.5)
