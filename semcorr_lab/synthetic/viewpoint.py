"""Where the camera stands: sampling viewpoints and framing an object in the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry import cameras

_FRAMING_STEPS = 12


@dataclass(frozen=True)
class Viewpoint:
    """A camera looking at an object. Azimuth 0 sees its front, 90 its left side."""

    azimuth_deg: float
    elevation_deg: float  # above the object's xy plane
    roll_deg: float = 0.0
    horizontal_fov_deg: float = 50.0
    fill: float = 0.6  # larger of (box width / image width, box height / image height)
    center: tuple[float, float] = (0.5, 0.5)  # of the box, as a share of the image (x, y)


def sample_viewpoint(rng: np.random.Generator, flat: bool, truncation: bool) -> Viewpoint:
    """Draw a viewpoint all round the object, or in front of a flat one; sometimes the border cuts it."""
    azimuth = rng.uniform(-70, 70) if flat else rng.uniform(-180, 180)
    fill = rng.uniform(0.4, 0.85)
    if truncation and rng.random() < 0.2:
        side = rng.choice([0.0, 1.0], 2) * [1, 1]
        center = np.where(rng.random(2) < 0.6, side + (1 - 2 * side) * rng.uniform(0.15, 0.3, 2), 0.5)
    else:
        slack = max(0.0, (1 - fill) / 2 - 0.02)
        center = 0.5 + rng.uniform(-slack, slack, 2)
    return Viewpoint(
        azimuth_deg=float(azimuth),
        elevation_deg=float(rng.uniform(-10, 60)),
        roll_deg=float(np.clip(rng.normal(0, 4), -10, 10)),
        horizontal_fov_deg=float(rng.uniform(30, 75)),
        fill=float(fill),
        center=(float(center[0]), float(center[1])),
    )


def camera_axes(azimuth_deg: float, elevation_deg: float, roll_deg: float) -> Float[np.ndarray, "3 3"]:
    """Compute the rotation camera_from_object.

    Rows are the image's right, down and forward in the object frame.
    """
    azimuth, elevation, roll = np.radians([azimuth_deg, elevation_deg, roll_deg])
    forward = -np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    )
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * right + s * down, c * down - s * right, forward])


def frame_object(
    vertices: Float[np.ndarray, "vertex 3"], viewpoint: Viewpoint, size: tuple[int, int]
) -> tuple[Camera, Float[np.ndarray, "4 4"]]:
    """Find the camera and camera_from_object that show the vertices with the viewpoint's fill and center.

    Principal point at the image center, square pixels. Distances in metres.
    """
    h, w = size
    focal = w / 2 / np.tan(np.radians(viewpoint.horizontal_fov_deg) / 2)
    rotation = camera_axes(viewpoint.azimuth_deg, viewpoint.elevation_deg, viewpoint.roll_deg)
    rotated = vertices @ rotation.T
    rotated_center = (rotated.min(0) + rotated.max(0)) / 2
    reach = float(np.ptp(rotated, axis=0).max())
    # Closer than this the perspective is extreme and parts end up behind the camera.
    nearest = 0.15 * reach - (rotated[:, 2] - rotated_center[2]).min()
    center = np.array([0.0, 0.0, 2 * reach])  # of the object, camera frame
    wanted = (np.array(viewpoint.center) - 0.5) * [w, h]
    for _ in range(_FRAMING_STEPS):
        placed = rotated - rotated_center + center
        pixels = focal * placed[:, :2] / placed[:, 2:]
        low, high = pixels.min(0), pixels.max(0)
        share = float(((high - low) / [w, h]).max())
        shift = (wanted - (low + high) / 2) / focal * center[2]
        depth = max(center[2] * share / viewpoint.fill, nearest)
        # Sideways it moves in proportion, so that the picture's middle stays where it is.
        center = np.array([*((center[:2] + shift) * depth / center[2]), depth])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, center - rotated_center
    return cameras.centered(float(focal), size), pose
