"""The messages of one moment of one camera, and what has been computed from them so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.sensing.frame import Frame, read_frame


@dataclass
class Picture:
    """Keeps what is computed from it: several classes may look at one picture."""

    image: Any  # Image or CompressedImage
    camera_info: Any | None = None
    depth: Any | None = None
    features: FeatureMap | None = None
    decoded: Frame | None = None
    completed: Frame | None = None  # with depth, where a network gives it

    @property
    def header(self) -> Any:
        """Stamp and frame of everything that is derived from the picture."""
        return self.image.header

    def frame(self) -> Frame:
        """Decode and rectify, once. Raises Refusal BAD_ENCODING, SIZE_MISMATCH, UNCALIBRATED."""
        if self.decoded is None:
            self.decoded = read_frame(self.image, self.camera_info, self.depth)
        return self.decoded
