"""Entries of a replay in another frame than the camera's, as the node's `target_frame` moves its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from semcorr_ros.sensing.frames import moved_covariance


def moved(entry: dict[str, Any], matrix: np.ndarray, frame: str) -> dict[str, Any]:
    """Move positions, poses and covariances by a transform (4, 4); pixels stay. Unknown stays unknown."""
    return entry | {"frame_id": frame, "objects": [_moved(found, matrix) for found in entry["objects"]]}


def _moved(found: dict[str, Any], matrix: np.ndarray) -> dict[str, Any]:
    turn = matrix[:3, :3]
    keypoints = [
        row
        | {
            "xyz": row["xyz"] and _point(row["xyz"], matrix),
            "covariance": _covariance(row["covariance"], turn),
        }
        for row in found["keypoints"]
    ]
    pose = found["pose"]
    if pose is not None:
        own = Rotation.from_quat(pose["orientation"]).as_matrix()
        pose = pose | {
            "position": _point(pose["position"], matrix),
            "orientation": Rotation.from_matrix(turn @ own).as_quat().tolist(),
            "covariance": _covariance(pose["covariance"], turn),
        }
    return found | {"keypoints": keypoints, "pose": pose}


def _point(at: list[float], matrix: np.ndarray) -> list[float]:
    found: list[float] = (matrix[:3, :3] @ at + matrix[:3, 3]).tolist()
    return found


def _covariance(rows: list[list[float]] | None, turn: np.ndarray) -> list[list[float]] | None:
    if rows is None:
        return None
    found: list[list[float]] = moved_covariance(np.reshape(rows, -1), turn).reshape(np.shape(rows)).tolist()
    return found
