"""Results of a replay as a rosbag2: the messages the node would have published, with their definitions."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from semcorr_ros.artifacts import KeypointState

PACKAGE = "semcorr_ros/msg"
DEFINITIONS = ("Point2D", "SemanticKeypoint", "SemanticKeypoints", "SemanticKeypointsArray", "ClassPose",
               "ClassPoseArray")  # fmt: skip


class ResultBag:
    """Writes an mcap bag; deletes it where writing fails."""

    def __init__(self, path: Path, node: str = "/semcorr"):
        """Prepare the bag. Raises FileExistsError for an existing path, FileNotFoundError without message
        definitions."""
        if path.exists():
            raise FileExistsError(f"{path} exists already; choose another, or remove it")
        self._path, self._store = path, get_typestore(Stores.ROS2_JAZZY)
        folder = message_folder()
        types: dict[str, Any] = {}
        for name in DEFINITIONS:
            types |= get_types_from_msg((folder / f"{name}.msg").read_text(), f"{PACKAGE}/{name}")
        self._store.register(types)
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._topics = {f"{node}/keypoints": "SemanticKeypointsArray", f"{node}/poses": "ClassPoseArray"}
        self._connections: list[Any] = []

    def __enter__(self) -> ResultBag:
        self._writer.open()
        for topic, name in self._topics.items():
            connection = self._writer.add_connection(topic, f"{PACKAGE}/{name}", typestore=self._store)
            self._connections.append(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if kind is not None:
            shutil.rmtree(self._path, ignore_errors=True)

    def write(self, entry: dict[str, Any]) -> None:
        """Write one entry of a replay."""
        header = self._make(
            "std_msgs/msg/Header", stamp=self._time(entry["stamp"]), frame_id=entry["frame_id"]
        )
        instances = [self._instance(found) for found in entry["objects"]]
        poses = [self._pose(found) for found in entry["objects"] if found["pose"] is not None]
        messages = (
            self._own("SemanticKeypointsArray", header=header, instances=instances),
            self._own("ClassPoseArray", header=header, poses=poses),
        )
        nanoseconds = entry["stamp"]["sec"] * 10**9 + entry["stamp"]["nanosec"]
        for connection, message in zip(self._connections, messages, strict=True):
            raw = self._store.serialize_cdr(message, connection.msgtype)
            self._writer.write(connection, nanoseconds, raw)

    def _instance(self, found: dict[str, Any]) -> Any:
        keypoints = [self._keypoint(row) for row in found["keypoints"]]
        return self._own(
            "SemanticKeypoints",
            class_name=found["class_name"],
            instance_id=found["instance_id"],
            keypoints=keypoints,
            edges=np.array(found["edges"], np.uint32).reshape(-1),
        )

    def _keypoint(self, row: dict[str, Any]) -> Any:
        x, y = (math.nan if value is None else value for value in row["pixel"])
        return self._own(
            "SemanticKeypoint",
            name=row["name"],
            state=int(KeypointState[row["state"]]),
            pixel=self._own("Point2D", x=x, y=y),
            xyz=self._point(row["xyz"] or [math.nan] * 3),
            score=row["score"],
            covariance=_covariance(row["covariance"], 3),
        )

    def _pose(self, found: dict[str, Any]) -> Any:
        pose = found["pose"]
        orientation = dict(zip("xyzw", pose["orientation"], strict=True))
        geometry = self._make(
            "geometry_msgs/msg/Pose",
            position=self._point(pose["position"]),
            orientation=self._make("geometry_msgs/msg/Quaternion", **orientation),
        )
        return self._own(
            "ClassPose",
            class_name=found["class_name"],
            instance_id=found["instance_id"],
            pose=geometry,
            scale=pose["scale"],
            size=self._make("geometry_msgs/msg/Vector3", **dict(zip("xyz", pose["size"], strict=True))),
            metric=found["metric"],
            confidence=found["confidence"],
            covariance=_covariance(pose["covariance"], 6),
        )

    def _own(self, name: str, /, **fields: Any) -> Any:
        return self._make(f"{PACKAGE}/{name}", **fields)

    def _make(self, kind: str, /, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _time(self, stamp: dict[str, int]) -> Any:
        return self._make("builtin_interfaces/msg/Time", sec=stamp["sec"], nanosec=stamp["nanosec"])

    def _point(self, xyz: list[float]) -> Any:
        return self._make("geometry_msgs/msg/Point", **dict(zip("xyz", xyz, strict=True)))


def message_folder() -> Path:
    """Find our message definitions: in the checkout, or in a ROS 2 installation. Raises FileNotFoundError."""
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))
    candidates = [Path(__file__).resolve().parents[2] / "msg"]
    candidates += [Path(prefix) / "share/semcorr_ros/msg" for prefix in prefixes]
    for folder in candidates:
        if (folder / "SemanticKeypoint.msg").is_file():
            return folder
    raise FileNotFoundError(
        "the message definitions of semcorr_ros are not installed: run from a checkout or a sourced "
        "workspace, or write JSON (--output FILE.json)"
    )


def _covariance(matrix: list[list[float]] | None, axes: int) -> np.ndarray:
    if matrix is None:
        return np.append(-1.0, np.zeros(axes * axes - 1))
    return np.array(matrix, np.float64).reshape(-1)
