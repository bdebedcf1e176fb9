"""Convert images by cv_bridge where the ROS installation has it, else by `sensing`: the same pixels."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import images

BRIDGE: Any = None
try:
    from cv_bridge import CvBridge, CvBridgeError
    from cv_bridge.boost import cv_bridge_boost  # noqa: F401 - fails beside another NumPy than it was built for

    BRIDGE = CvBridge()
except (ImportError, AttributeError, SystemError):  # wheels, or a NumPy 2 beside a cv_bridge for NumPy 1
    CvBridgeError = RuntimeError
# Not Bayer, whose border cv_bridge leaves out, nor 16 bits, which it rounds up, nor what it does not know.
CONVERTED = ("bgr8", "rgba8", "bgra8", "mono8", "yuv422", "yuv422_yuy2")


def color_from_message(message: Any) -> UInt8[Tensor, "height width 3"]:
    """Convert an Image or CompressedImage to RGB. Raises Refusal BAD_ENCODING."""
    if BRIDGE is None or getattr(message, "encoding", "") not in CONVERTED:
        return images.color_from_message(message)
    stored = images.stored_color(message)  # checks the size: cv_bridge trusts the message's
    if message.step != stored.shape[1] * stored.shape[2]:
        return images.color_from_message(message)  # it reads padded rows at whole pixels only
    try:
        return torch.from_numpy(BRIDGE.imgmsg_to_cv2(message, "rgb8"))
    except CvBridgeError as error:
        raise Refusal(Code.BAD_ENCODING, f"cv_bridge cannot convert {message.encoding}: {error}") from error
