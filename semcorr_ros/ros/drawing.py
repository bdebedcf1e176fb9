"""Visualize keypoints and poses: markers for RViz and Foxglove."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from semcorr_ros.msg import SemanticKeypoints, TransferredPose
from semcorr_ros.visualization import shapes

ARROW = 0.05  # metres: length of an axis of a gripper
# Turns (x, y, z, w) of an arrow along x to x, y and z.
AXES = (
    (0.0, 0.0, 0.0, 1.0),
    (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)),
    (0.0, -math.sqrt(0.5), 0.0, math.sqrt(0.5)),
)


def markers(header: Header, instances: list[SemanticKeypoints]) -> MarkerArray:
    """Build markers of all objects in one image; the first deletes those of the previous image."""
    array = [Marker(header=header, action=Marker.DELETEALL)]
    return MarkerArray(markers=array + [_marker(header, shape) for shape in shapes.shapes(instances)])


def pose_markers(header: Header, poses: list[TransferredPose]) -> MarkerArray:
    """Build markers of poses of a gripper: its axes x, y, z in red, green and blue, and the name."""
    array = [Marker(header=header, action=Marker.DELETEALL)]
    for transferred in poses:
        if not math.isfinite(transferred.pose.pose.orientation.w):
            continue
        for axis, turn in enumerate(AXES):
            marker = Marker(header=header, ns=transferred.name, id=axis, type=Marker.ARROW, action=Marker.ADD)
            marker.pose = Pose(
                position=transferred.pose.pose.position,
                orientation=_product(transferred.pose.pose.orientation, turn),
            )
            marker.scale = Vector3(x=ARROW, y=ARROW / 10, z=ARROW / 10)
            marker.color = ColorRGBA(r=float(axis == 0), g=float(axis == 1), b=float(axis == 2), a=1.0)
            array.append(marker)
        name = Marker(header=header, ns=transferred.name, id=len(AXES), type=Marker.TEXT_VIEW_FACING)
        name.text, name.pose.position = transferred.name, transferred.pose.pose.position
        name.scale.z, name.color = ARROW / 3, ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        name.pose.orientation.w = 1.0
        array.append(name)
    return MarkerArray(markers=array)


def _product(a: Quaternion, b: tuple[float, float, float, float]) -> Quaternion:
    x, y, z, w = b
    return Quaternion(
        x=a.w * x + a.x * w + a.y * z - a.z * y,
        y=a.w * y - a.x * z + a.y * w + a.z * x,
        z=a.w * z + a.x * y - a.y * x + a.z * w,
        w=a.w * w - a.x * x - a.y * y - a.z * z,
    )


def _marker(header: Header, shape: shapes.Shape) -> Marker:
    marker = Marker(header=header, ns=shape.namespace, id=shape.number, type=shape.kind, action=Marker.ADD)
    marker.lifetime = Duration(sec=shapes.LIFETIME)
    marker.pose = Pose(position=_point(shape.position), orientation=Quaternion(w=1.0))
    marker.scale = Vector3(**dict(zip("xyz", shape.scale, strict=True)))
    marker.color = _color(shape.color, shape.opacity)
    marker.points = [_point(at) for at in shape.points]
    marker.colors = [_color(color) for color in shape.colors]
    marker.text = shape.text
    return marker


def _point(at: shapes.Triple) -> Point:
    return Point(**dict(zip("xyz", at, strict=True)))


def _color(color: shapes.Triple, opacity: float = 1.0) -> ColorRGBA:
    r, g, b = color
    return ColorRGBA(r=r, g=g, b=b, a=opacity)
