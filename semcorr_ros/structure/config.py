"""Every constant of the lift. Lengths without a unit are of the class's shape, whose RMS radius is 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Defaults suit 8 to 200 pictures with up to 30 keypoints. Chosen on training photographs and rendered classes."""

    focal: float = 1.3  # of cameras that are not known, in units of the longer side of the image
    focal_spread: float = 0.3  # standard deviation of the logarithm of a focal length around it; 0: fixed
    modes: int = 3  # of deformation
    mode_size: float = 0.06  # standard deviation of a keypoint's coordinate along one mode
    slip: float = 0.1  # an annotation this far off, in units of the object's radius, counts half
    roll: float = 0.2  # how far the x axis of a camera is from level, as a sine; half weight there
    starts: int = 24  # random shapes to begin from
    kept: int = 4  # of them, the best, from which perspective chooses
    steps: int = 30  # of Levenberg and Marquardt in every stage, at most
    rounds: int = 2  # of looking again for the camera of every picture, rigid and deforming

    def __post_init__(self) -> None:
        for name in ("focal", "mode_size", "slip", "roll"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("starts", "kept", "steps", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.modes < 0 or self.focal_spread < 0:
            raise ValueError(
                f"modes and focal_spread must be at least 0, got {self.modes}, {self.focal_spread}"
            )
