"""The messages of one moment of one camera, and what has been computed from them so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from semcorr_ros.artifacts import Frame
from semcorr_ros.geometry.taken import size_taken
from semcorr_ros.observations import Scene
from semcorr_ros.places import ANYWHERE, Place, box_in
from semcorr_ros.refusal import Code, Refusal
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
    upright: Callable[[Any], int] | None = None  # degrees, from the header; may wait, and raise Refusal
    decoded: Frame | None = None
    encoded: Scene | None = None
    caution: str = ""  # what makes answers from it less than they were, a sentence

    @property
    def header(self) -> Any:
        """Stamp and frame of everything that is derived from the picture."""
        return self.image.header

    def frame(self) -> Frame:
        """Decode, rectify and turn once. Raises Refusal BAD_ENCODING, SIZE_MISMATCH, UNCALIBRATED, and what
        `upright` raises."""
        if self.decoded is None:
            if self.upright is not None:
                self.reading = replace(self.reading, rotate=self.upright(self.header))
            self.decoded = read_frame(self.image, self.camera_info, self.depth, self.reading, self.to_rgb)
        return self.decoded

    def scene(self, encode: Callable[[Frame], Scene]) -> Scene:
        """Encode once. Raises as `frame`."""
        if self.encoded is None:
            self.encoded = encode(self.frame())
        return self.encoded

    def place(self, roi: Any | None) -> Place:
        """Return the place of a RegionOfInterest; anywhere for an empty one. Raises Refusal BAD_REQUEST."""
        frame = self.frame()
        box = None if roi is None else box_from_message(roi, size_taken(frame))
        if box is None:
            return ANYWHERE
        straight = box_in(box, frame)
        if straight is None:
            raise Refusal(Code.BAD_REQUEST, "nothing of the region is left without the lens's distortion")
        return Place(box=straight)
