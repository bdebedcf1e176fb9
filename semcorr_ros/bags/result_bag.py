"""Results of a replay as a rosbag2: the messages the node would have published, with their definitions."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.sensing.images import color_from_message
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.visualization.shapes import LIFETIME, Shape, draw_overlay, shapes

PACKAGE = "semcorr_ros/msg"
IMAGE = "sensor_msgs/msg/Image"
ADD, DELETE_ALL = 0, 3  # `action` of visualization_msgs/Marker
DEFINITIONS = ("Point2D", "SemanticKeypoint", "SemanticKeypoints", "SemanticKeypointsArray", "ClassPose",
               "ClassPoseArray")  # fmt: skip


class ResultBag:
    """Writes an mcap bag; deletes it where writing fails."""

    def __init__(self, path: Path, node: str = "/semcorr", overlay: bool = False):
        """Prepare the bag. overlay: also with pictures.

        Raises FileExistsError for an existing path, FileNotFoundError without message definitions.
        """
        if path.exists():
            raise FileExistsError(f"{path} exists already; choose another, or remove it")
        self._path, self._store = path, get_typestore(Stores.ROS2_JAZZY)
        folder = message_folder()
        types: dict[str, Any] = {}
        for name in DEFINITIONS:
            types |= get_types_from_msg((folder / f"{name}.msg").read_text(), f"{PACKAGE}/{name}")
        self._store.register(types)
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._topics = {
            f"{node}/keypoints": f"{PACKAGE}/SemanticKeypointsArray",
            f"{node}/poses": f"{PACKAGE}/ClassPoseArray",
            f"{node}/markers": "visualization_msgs/msg/MarkerArray",
        }
        if overlay:
            self._topics[f"{node}/overlay"] = IMAGE
        self._overlay = overlay
        self._connections: list[Any] = []

    def __enter__(self) -> ResultBag:
        self._writer.open()
        for topic, name in self._topics.items():
            connection = self._writer.add_connection(topic, name, typestore=self._store)
            self._connections.append(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if kind is not None:
            shutil.rmtree(self._path, ignore_errors=True)

    def write(self, entry: dict[str, Any], picture: Picture | None = None) -> None:
        """Write one entry of a replay. picture: that it is about, for the overlay. Raises ValueError where
        that is missing."""
        header = self._make(
            "std_msgs/msg/Header", stamp=self._time(entry["stamp"]), frame_id=entry["frame_id"]
        )
        instances = [self._instance(found) for found in entry["objects"]]
        poses = [self._pose(found) for found in entry["objects"] if found["pose"] is not None]
        messages = [
            self._own("SemanticKeypointsArray", header=header, instances=instances),
            self._own("ClassPoseArray", header=header, poses=poses),
            self._markers(header, instances),
        ]
        if self._overlay:
            if picture is None:
                raise ValueError("an overlay needs the picture")
            messages.append(self._drawn(picture, instances))
        nanoseconds = entry["stamp"]["sec"] * 10**9 + entry["stamp"]["nanosec"]
        for connection, message in zip(self._connections, messages, strict=True):
            raw = self._store.serialize_cdr(message, connection.msgtype)
            self._writer.write(connection, nanoseconds, raw)

    def _drawn(self, picture: Picture, instances: list[Any]) -> Any:
        image = draw_overlay(color_from_message(picture.image).numpy(), instances)
        stamp, (height, width) = picture.header.stamp, image.shape[:2]
        header = self._make(
            "std_msgs/msg/Header",
            stamp=self._time({"sec": stamp.sec, "nanosec": stamp.nanosec}),
            frame_id=picture.header.frame_id,  # the camera's, whatever frame positions are in
        )
        return self._make(
            IMAGE, header=header, height=height, width=width, encoding="rgb8", is_bigendian=0,
            step=3 * width, data=np.ascontiguousarray(image).reshape(-1),
        )  # fmt: skip

    def _markers(self, header: Any, instances: list[Any]) -> Any:
        """Make what ros/drawing.py makes: the first one deletes those of the picture before."""
        found = [self._marker(header, Shape("", 0, (0.0, 0.0, 0.0)), DELETE_ALL, lifetime=0)]
        found += [self._marker(header, shape, ADD, LIFETIME) for shape in shapes(instances)]
        return self._make("visualization_msgs/msg/MarkerArray", markers=found)

    def _marker(self, header: Any, shape: Shape, action: int, lifetime: int) -> Any:
        turn = self._make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
        pose = self._make("geometry_msgs/msg/Pose", position=self._point(shape.position), orientation=turn)
        nothing = self._make(
            "sensor_msgs/msg/CompressedImage", header=header, format="", data=np.zeros(0, np.uint8)
        )
        return self._make(
            "visualization_msgs/msg/Marker",
            header=header, ns=shape.namespace, id=shape.number, type=shape.kind, action=action, pose=pose,
            scale=self._make("geometry_msgs/msg/Vector3", **dict(zip("xyz", shape.scale, strict=True))),
            color=self._color(shape.color, shape.opacity),
            lifetime=self._make("builtin_interfaces/msg/Duration", sec=lifetime, nanosec=0),
            frame_locked=False, points=list(map(self._point, shape.points)),
            colors=list(map(self._color, shape.colors)), texture_resource="", texture=nothing,
            uv_coordinates=[], text=shape.text, mesh_resource="",
            mesh_file=self._make("visualization_msgs/msg/MeshFile", filename="", data=np.zeros(0, np.uint8)),
            mesh_use_embedded_materials=False,
        )  # fmt: skip

    def _color(self, color: tuple[float, float, float], opacity: float = 1.0) -> Any:
        r, g, b = color
        return self._make("std_msgs/msg/ColorRGBA", r=r, g=g, b=b, a=opacity)

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

    def _point(self, xyz: Sequence[float]) -> Any:
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
