"""Between a picture as it was taken and as it is looked at: without the lens, and turned upright.

Turns are in degrees clockwise, multiples of 90; a turned camera looks along the same axis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Camera, Correspondences, Frame, Lens, Pose
from semcorr_ros.geometry import distortion

TURNS = (0, 90, 180, 270)
STEEP = 0.2588  # sine of 15 degrees
COS, SIN = {0: 1.0, 90: 0.0, 180: -1.0, 270: 0.0}, {0: 0.0, 90: 1.0, 180: 0.0, 270: -1.0}


class Looked(Protocol):
    """A Frame or an Observation."""

    @property
    def image(self) -> Tensor: ...
    @property
    def lens(self) -> Lens | None: ...
    @property
    def rotate(self) -> int: ...


def straightened(frame: Frame, lens: Lens | None, degrees: int) -> Frame:
    """Take the lens out of a frame, and turn it. Raises ValueError for another angle."""
    if degrees not in TURNS:
        raise ValueError(f"pictures are turned by {', '.join(map(str, TURNS))} degrees, got {degrees}")
    image, depth = frame.image, frame.depth
    if lens is not None:
        image = distortion.rectify_image(image, lens)
        # Depth that is registered to the image has its lens too.
        depth = depth and replace(depth, values=distortion.rectify_depth(depth.values, lens))
    camera = frame.camera and _turned_camera(frame.camera, degrees)
    depth = depth and replace(depth, values=turned(depth.values, degrees))
    return Frame(turned(image, degrees), camera, depth, lens, degrees)


def size_taken(seen: Looked) -> tuple[int, int]:
    """Return (h, w) of the picture as it was taken."""
    height, width = int(seen.image.shape[0]), int(seen.image.shape[1])
    return (width, height) if seen.rotate in (90, 270) else (height, width)


def to_taken(points: Float[Tensor, "*batch 2"], seen: Looked) -> Float[Tensor, "*batch 2"]:
    """Find where points (x, y) of what is looked at were taken; NaN beyond the lens."""
    ideal = _turned_points(points, (int(seen.image.shape[0]), int(seen.image.shape[1])), -seen.rotate % 360)
    return ideal if seen.lens is None else distortion.to_image(ideal, seen.lens)


def from_taken(points: Float[Tensor, "*batch 2"], seen: Looked) -> Float[Tensor, "*batch 2"]:
    """Invert `to_taken`."""
    ideal = points if seen.lens is None else distortion.to_ideal(points, seen.lens)
    return _turned_points(ideal, size_taken(seen), seen.rotate)


def turned(pixels: Tensor, degrees: int) -> Tensor:
    """Turn an image (h, w, ...) clockwise."""
    return pixels if degrees == 0 else torch.rot90(pixels, -degrees // 90, (0, 1)).contiguous()


def points_taken(found: Correspondences, seen: Looked) -> Correspondences:
    """Convert pixels, positions and covariances to the picture and the camera frame as they were taken."""
    back = rotation(-seen.rotate % 360).to(found.xyz)
    covariance = found.covariance
    return replace(
        found,
        points=to_taken(found.points, seen),
        xyz=found.xyz if seen.rotate == 0 else found.xyz @ back.T,
        covariance=None if covariance is None else back.to(covariance) @ covariance @ back.T.to(covariance),
    )


def pose_taken(pose: Pose, seen: Looked) -> Pose:
    """Convert a pose to the camera frame as it was taken."""
    if seen.rotate == 0:
        return pose
    back = rotation(-seen.rotate % 360).to(pose.rotation)
    both = torch.block_diag(back, back)
    covariance = pose.covariance
    if covariance is not None:
        both = both.to(covariance)
        covariance = both @ covariance @ both.T
    return replace(
        pose, rotation=back @ pose.rotation, translation=back @ pose.translation, covariance=covariance
    )


def rotation(degrees: int) -> Float[Tensor, "3 3"]:
    """Return turned_from_taken: what a clockwise turn of the picture does to points of the camera frame."""
    c, s = COS[degrees], SIN[degrees]
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def upright_turn(up: Float[Tensor, "3"]) -> int | None:
    """Find the turn that brings `up`, a direction in the camera frame, nearest to the top of the picture.

    None where the camera looks almost straight up or down: then no side of the picture is up.
    """
    x, y, z = (float(value) for value in up)
    length = (x * x + y * y + z * z) ** 0.5
    if length == 0 or (x * x + y * y) ** 0.5 < STEEP * length:
        return None
    # After a turn by t the direction (x, y) of the picture is rotation(t) @ (x, y); the top is (0, -1).
    return max(TURNS, key=lambda t: -(SIN[t] * x + COS[t] * y))


def _turned_points(
    points: Float[Tensor, "*batch 2"], size: tuple[int, int], degrees: int
) -> Float[Tensor, "*batch 2"]:
    """Turn pixels of an image of `size` (h, w) with it."""
    height, width = size
    x, y = points.unbind(-1)
    if degrees == 90:
        return torch.stack([height - 1 - y, x], -1)
    if degrees == 180:
        return torch.stack([width - 1 - x, height - 1 - y], -1)
    return torch.stack([y, width - 1 - x], -1) if degrees == 270 else points


def _turned_camera(camera: Camera, degrees: int) -> Camera:
    sideways = degrees in (90, 270)
    return Camera(
        camera.focal.flip(0) if sideways else camera.focal,
        _turned_points(camera.principal_point, camera.size, degrees),
        camera.size[::-1] if sideways else camera.size,
    )
