"""What the node and a bag need to move answers to another frame: which headers allow it, and covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from semcorr_ros.refusal import Code, Refusal


def check_header(header: Any, target: str) -> None:
    """Raises Refusal TF_MISSING for a header that no transform can be looked up for.

    tf2 takes the stamp 0 for "the latest", which belongs to another picture.
    """
    if header.stamp.sec == 0 and header.stamp.nanosec == 0:
        what = f"the image has the stamp 0, so no transform to {target!r} can be looked up at its time"
        raise Refusal(Code.TF_MISSING, f"{what}: let the camera's driver stamp its images")
    if header.frame_id.startswith("/"):
        what = f"tf2 knows no frame with a leading slash, and the image's frame_id is {header.frame_id!r}"
        raise Refusal(Code.TF_MISSING, f"{what}: name it {header.frame_id.lstrip('/')!r} in the driver")
    if not header.frame_id:
        what = f"the image has an empty frame_id, so it cannot be moved to {target!r}"
        raise Refusal(Code.TF_MISSING, f"{what}: set the frame in the camera's driver")


def moved_covariance(values: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate a row-major covariance of 3 or 6 axes; an unknown one ([0] = -1) stays unknown."""
    if values[0] < 0:
        return values
    axes = 3 if len(values) == 9 else 6
    turn = np.kron(np.eye(axes // 3), rotation)
    return (turn @ np.reshape(values, (axes, axes)) @ turn.T).reshape(-1)
