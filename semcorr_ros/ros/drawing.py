"""Visualize keypoints: markers for RViz and Foxglove, and an overlay on the camera image."""

from __future__ import annotations

import math

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from PIL import Image, ImageDraw
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from semcorr_ros.msg import SemanticKeypoint, SemanticKeypoints, TransferredPose

LIFETIME = Duration(sec=2)  # a picture of a node that died must not stay
DIAMETER = 0.06  # of a keypoint, as a share of the object's extent
RADIUS_SHARE = 0.008  # of the longer side of the image
COLORS = {
    SemanticKeypoint.VISIBLE: (0.1, 0.9, 0.2),
    SemanticKeypoint.OCCLUDED: (1.0, 0.6, 0.0),
    SemanticKeypoint.OUT_OF_IMAGE: (0.3, 0.5, 1.0),
    SemanticKeypoint.REJECTED: (1.0, 0.1, 0.1),
}
ARROW = 0.05  # metres: length of an axis of a gripper
# Turns (x, y, z, w) of an arrow along x to x, y and z.
AXES = (
    (0.0, 0.0, 0.0, 1.0),
    (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)),
    (0.0, -math.sqrt(0.5), 0.0, math.sqrt(0.5)),
)
GRAY = (0.6, 0.6, 0.6)


def markers(header: Header, instances: list[SemanticKeypoints]) -> MarkerArray:
    """Build markers of all objects in one image; the first deletes those of the previous image."""
    array = [Marker(header=header, action=Marker.DELETEALL)]
    for instance in instances:
        size = _size(instance)
        if size > 0:
            array += [_points(header, instance, size), _skeleton(header, instance, size)]
            array += _names(header, instance, size)
    return MarkerArray(markers=array)


def draw_overlay(image: np.ndarray, instances: list[SemanticKeypoints]) -> np.ndarray:
    """Draw skeleton, points colored by state, and names on a copy of an RGB image (H, W, 3)."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    radius = max(2.0, RADIUS_SHARE * max(canvas.size))
    for instance in instances:
        points = [(keypoint.pixel.x, keypoint.pixel.y) for keypoint in instance.keypoints]
        for a, b in zip(instance.edges[0::2], instance.edges[1::2], strict=True):
            if all(map(math.isfinite, (*points[a], *points[b]))):
                draw.line([points[a], points[b]], fill=(230, 230, 230), width=max(1, round(radius / 3)))
        for keypoint, (x, y) in zip(instance.keypoints, points, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                _draw_point(draw, keypoint, x, y, radius)
    return np.asarray(canvas)


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


def _points(header: Header, instance: SemanticKeypoints, size: float) -> Marker:
    marker = _marker(header, instance, "keypoints", Marker.SPHERE_LIST)
    marker.scale = Vector3(x=size * DIAMETER, y=size * DIAMETER, z=size * DIAMETER)
    known = [keypoint for keypoint in instance.keypoints if _known(keypoint)]
    marker.points = [keypoint.xyz for keypoint in known]
    marker.colors = [_color(keypoint.state) for keypoint in known]
    return marker


def _skeleton(header: Header, instance: SemanticKeypoints, size: float) -> Marker:
    marker = _marker(header, instance, "skeleton", Marker.LINE_LIST)
    marker.scale.x = size * DIAMETER / 4
    marker.color = ColorRGBA(r=0.9, g=0.9, b=0.9, a=0.8)
    ends: list[Point] = []
    for a, b in zip(instance.edges[0::2], instance.edges[1::2], strict=True):
        pair = [instance.keypoints[a], instance.keypoints[b]]
        if all(map(_known, pair)):
            ends += [keypoint.xyz for keypoint in pair]
    marker.points = ends
    return marker


def _names(header: Header, instance: SemanticKeypoints, size: float) -> list[Marker]:
    found = []
    for i, keypoint in enumerate(instance.keypoints):
        if _known(keypoint):
            marker = _marker(header, instance, "names", Marker.TEXT_VIEW_FACING)
            marker.id, marker.text = i, keypoint.name
            at = keypoint.xyz
            marker.pose.position = Point(x=at.x, y=at.y - size * DIAMETER, z=at.z)
            marker.scale.z = size * DIAMETER
            marker.color = _color(keypoint.state)
            found.append(marker)
    return found


def _marker(header: Header, instance: SemanticKeypoints, kind: str, shape: int) -> Marker:
    name = instance.instance_id or instance.class_name
    marker = Marker(header=header, ns=f"{name}/{kind}", type=shape, action=Marker.ADD, lifetime=LIFETIME)
    marker.pose.orientation.w = 1.0
    return marker


def _size(instance: SemanticKeypoints) -> float:
    known = [keypoint.xyz for keypoint in instance.keypoints if _known(keypoint)]
    if not known:
        return 0.0
    spans = [max(v) - min(v) for v in zip(*((p.x, p.y, p.z) for p in known), strict=True)]
    return math.hypot(*spans)


def _known(keypoint: SemanticKeypoint) -> bool:
    return math.isfinite(keypoint.xyz.z)


def _color(state: int) -> ColorRGBA:
    r, g, b = COLORS.get(state, GRAY)
    return ColorRGBA(r=r, g=g, b=b, a=1.0)


def _draw_point(
    draw: ImageDraw.ImageDraw, keypoint: SemanticKeypoint, x: float, y: float, radius: float
) -> None:
    black = (0, 0, 0)
    color = tuple(round(255 * share) for share in COLORS.get(keypoint.state, GRAY))
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color, outline=black)
    draw.text(
        (x + 1.5 * radius, y - radius), keypoint.name, fill=color, stroke_width=1, stroke_fill=(0, 0, 0)
    )
