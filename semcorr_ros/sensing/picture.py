"""The messages of one moment of one camera, and what has been computed from them so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semcorr_ros.artifacts import Frame
from semcorr_ros.observations import Scene
from semcorr_ros.places import ANYWHERE, Place
from semcorr_ros.sensing.frame import box_from_message, read_frame
from semcorr_ros.sensing.images import color_from_message
from semcorr_ros.sensing.reading import Reading


@dataclass
class Picture:
    """Messages of a picture; caches frame and scene, which all classes share."""

    image: Any  # Image or CompressedImage
    camera_info: Any | None = None
    depth: Any | None = None
    to_rgb: Callable[[Any], Tensor] = color_from_message
    reading: Reading = Reading()  # noqa: RUF009 - frozen
    decoded: Frame | None = None
    encoded: Scene | None = None

    @property
    def header(self) -> Any:
        """Stamp and frame of everything that is derived from the picture."""
        return self.image.header

    def frame(self) -> Frame:
        """Decode and rectify once. Raises Refusal BAD_ENCODING, SIZE_MISMATCH, UNCALIBRATED."""
        if self.decoded is None:
            self.decoded = read_frame(self.image, self.camera_info, self.depth, self.reading, self.to_rgb)
        return self.decoded

    def scene(self, encode: Callable[[Frame], Scene]) -> Scene:
        """Encode once. Raises as `frame`."""
        if self.encoded is None:
            self.encoded = encode(self.frame())
        return self.encoded

    def place(self, roi: Any | None) -> Place:
        """Return the place of a RegionOfInterest; anywhere for an empty one. Raises Refusal BAD_REQUEST."""
        height, width = self.frame().image.shape[:2]
        box = None if roi is None else box_from_message(roi, (int(height), int(width)))
        return ANYWHERE if box is None else Place(box=box)
