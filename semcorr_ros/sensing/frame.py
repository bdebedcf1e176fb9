"""Read the messages of one moment as one rectified RGB-D picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import Frame
from semcorr_ros.geometry.taken import straightened
from semcorr_ros.places import Box
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import calibration, images
from semcorr_ros.sensing.reading import Reading

PLAIN = Reading()
SMALLEST_BOX = 4  # pixels


def read_frame(
    image: Any,
    camera_info: Any | None,
    depth: Any | None,
    reading: Reading = PLAIN,
    to_rgb: Callable[[Any], UInt8[Tensor, "height width 3"]] = images.color_from_message,
) -> Frame:
    """Decode, color by `to_rgb`, rectify and turn.

    Raises Refusal BAD_ENCODING, SIZE_MISMATCH, UNCALIBRATED.
    """
    color = to_rgb(image)
    size = (int(color.shape[0]), int(color.shape[1]))
    camera, lens = None, None
    if camera_info is not None:
        camera, lens = calibration.camera_from_message(camera_info, size, reading.rectified)
    metric = None if depth is None else images.depth_from_message(depth, reading.depth_scale)
    if metric is not None and depth is not None and tuple(metric.values.shape) != size:
        h, w = metric.values.shape
        raise Refusal(
            Code.SIZE_MISMATCH,
            f"depth is {w}x{h} in frame {depth.header.frame_id!r} but the image is {size[1]}x{size[0]} "
            f"in frame {image.header.frame_id!r}; feed depth that is registered to the image",
        )
    return straightened(Frame(color, camera, metric), lens, reading.rotate)


def box_from_message(roi: Any, size: tuple[int, int]) -> Box | None:
    """Read a sensor_msgs/RegionOfInterest in an image of `size` (h, w); None for an empty one.

    Raises Refusal BAD_REQUEST for a box that is not in the image or hardly larger than a point.
    """
    if roi.width == 0 and roi.height == 0:
        return None
    x, y, w, h = int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)
    if x + w > size[1] or y + h > size[0] or min(w, h) < SMALLEST_BOX:
        raise Refusal(
            Code.BAD_REQUEST,
            f"region {w}x{h} at ({x}, {y}) must be at least {SMALLEST_BOX} pixels wide and high and lie "
            f"inside the {size[1]}x{size[0]} image",
        )
    return x, y, w, h
