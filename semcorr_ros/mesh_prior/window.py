"""The part of an image that render-and-compare looks at, and what the mask says there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.boxes import Box, box_of

MARGIN = 0.15  # of the longer side, on each side
WIDEST = 1.0  # of the image's sides, beyond its border


@dataclass(frozen=True)
class Target:
    """A window around an image's object at the resolution of rendering, `h` x `w`."""

    camera: Camera  # of the window
    mask: Float[Tensor, "h w"]  # share of a pixel on the object
    known: Float[Tensor, "h w"]  # 0 beyond a border of the image that cuts the object: it goes on there
    outside: Float[Tensor, "h w"]  # square distance to the dilated mask over the window's diagonal, 0 inside
    inside: Float[Tensor, "h w"]  # square distance to what is not the object, 0 there


def window_around(mask: Bool[Tensor, "height width"], pixels: Float[Tensor, "V 2"]) -> Box:
    """Return the box around mask and points with a margin; it may reach beyond the image."""
    (x, y, width, height), (h, w) = box_of(mask), mask.shape
    farthest = torch.tensor([WIDEST * w, WIDEST * h])
    shown = torch.minimum(torch.maximum(pixels, -farthest), farthest + torch.tensor([w, h]))
    low = torch.minimum(shown.amin(0), torch.tensor([x, y])).floor()
    high = torch.maximum(shown.amax(0), torch.tensor([x + width, y + height])).ceil()
    margin = (MARGIN * (high - low).max()).ceil() + 1
    (left, top), (right, bottom) = (low - margin).long().tolist(), (high + margin).long().tolist()
    return left, top, right - left, bottom - top


def target_of(
    mask: Bool[Tensor, "height width"], camera: Camera, window: Box, side: int, dilation: float
) -> Target:
    """Cut the window out of the mask, its longer side `side` pixels. dilation: of the mask, in pixels of it.

    Beyond the image there is no object, except beyond a border that its mask touches.
    """
    zoom = side / max(window[2:])
    size = max(1, round(window[3] * zoom)), max(1, round(window[2] * zoom))
    shares = _cut(mask.numpy().astype(np.float32), window, size)
    known = _cut(_known(mask, window), (0, 0, window[2], window[3]), size)
    object_ = shares >= min(0.5, float(shares.max()))
    diagonal = float(np.hypot(*size))
    far = np.maximum(_distance(~object_) - dilation, 0) / diagonal
    # What is beyond such a border is no edge of the object.
    deep = np.where(object_, _distance(object_ | (known < 0.5)), 0) / diagonal
    return Target(
        camera=_zoomed(camera, window, size),
        mask=torch.tensor(shares),
        known=torch.tensor(known),
        outside=torch.tensor((far**2).astype(np.float32)),
        inside=torch.tensor((deep**2).astype(np.float32)),
    )


def _known(mask: Bool[Tensor, "height width"], window: Box) -> Float[np.ndarray, "h w"]:
    """Tell where in the window it is known whether there is the object."""
    (x, y, width, height), (h, w) = window, mask.shape
    known = np.ones((height, width), np.float32)
    columns, rows = np.arange(x, x + width), np.arange(y, y + height)
    known[rows < 0] *= not bool(mask[0].any())
    known[rows >= h] *= not bool(mask[-1].any())
    known[:, columns < 0] *= not bool(mask[:, 0].any())
    known[:, columns >= w] *= not bool(mask[:, -1].any())
    return known


def _cut(picture: Float[np.ndarray, "height width"], window: Box, size: tuple[int, int]) -> np.ndarray:
    """Resize a window, 0 beyond the picture, by area so that thin parts stay."""
    x, y, width, height = window
    h, w = picture.shape
    cut = np.zeros((height, width), np.float32)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, w), min(y + height, h)
    if left < right and top < bottom:
        cut[top - y : bottom - y, left - x : right - x] = picture[top:bottom, left:right]
    how = cv2.INTER_AREA if size[1] < width else cv2.INTER_LINEAR
    return cv2.resize(cut, size[::-1], interpolation=how)


def _distance(region: np.ndarray) -> np.ndarray:
    """Measure the distance of the region's pixels to the nearest one that is not in it; 0 elsewhere."""
    if region.all():
        return np.full(region.shape, float(max(region.shape)), np.float32)
    # Not by OpenCV: the last bits of its precise transform change from call to call.
    return np.asarray(distance_transform_edt(region), np.float32)


def _zoomed(camera: Camera, window: Box, size: tuple[int, int]) -> Camera:
    x, y, width, height = window
    zoom = torch.tensor([size[1] / width, size[0] / height])
    center = (camera.principal_point - torch.tensor([x - 0.5, y - 0.5])) * zoom - 0.5
    return Camera(camera.focal * zoom, center, size)
