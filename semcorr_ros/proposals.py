"""Where in a picture an object may be that is too small for attention to the whole of it.

Measured depth proposes whatever stands on a plane; without it, windows around what looks most like the class
do. The best of them are encoded alone, and ranked by how alike they look then. Prototypes of coarse copies
are not asked, whatever the size: they resemble more that is not the class.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap, Prototypes
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.geometry import grid
from semcorr_ros.geometry.boxes import Box, box_of, intersection_over_union
from semcorr_ros.masks import Recognizer
from semcorr_ros.masks._pieces import largest
from semcorr_ros.masks._standing import outline, standing
from semcorr_ros.masks.attention import attention_mask
from semcorr_ros.observations import Scene
from semcorr_ros.places import Place
from semcorr_ros.zoom import SMALLEST

# With two of the places aligned, these keep the search within about twice the time of an object in a box with
# depth, and three times without (docs/accuracy.md).
ENCODED = 8  # boxes of standing things that are looked at closely
TILE = 0.6  # side of each of four overlapping parts of the picture, in sides of the picture
PEAKS = 4  # places in the parts that look most like the class
APART = 0.07  # of the picture's longer side, between two of them
SIDES = (0.18, 0.3)  # of the windows around them
UPPER = 1 / 3  # share of a box's cells that tells how alike it looks: the rest may be background
SMOOTHING = 1.5  # cells
LOOSE = 0.05  # least deviation of a similarity
LEAST_SIDE = 20  # pixels, of what is attended to in a window
PIXELS = 1000  # of an object that are compared

Mask = Bool[Tensor, "height width"]


def propose(scene: Scene, model: Recognizer, extractor: FeatureExtractor, most: int) -> list[Place]:
    """Find up to `most` places, the most alike first."""
    if not extractor.from_pixels:
        return []
    found = [Place(mask=mask, rough=True) for mask in _standing(scene, model.prototypes)]
    if not found:  # attention to a window is coarse: it is paid again to the box
        found = [Place(box=box) for box in _in_windows(scene, model, extractor, most)]
    return sorted(found, key=lambda place: -_alike(scene, place, extractor, model))[:most]


def _standing(scene: Scene, prototypes: Prototypes) -> Iterator[Mask]:
    """Outline the things on planes that look most like the class in the features of the whole picture."""
    depth, camera = scene.frame.depth, scene.frame.camera
    if depth is None or camera is None:
        return
    likeness = _likeness(scene.features, prototypes, 0.0)

    def alike(box: Box) -> float:
        x, y, w, h = box
        inside = np.sort(likeness[y : y + h, x : x + w], axis=None)
        return float(inside[-max(1, round(UPPER * inside.size)) :].mean())

    boxes = sorted(standing(depth, camera), key=alike, reverse=True)
    for box in boxes[:ENCODED]:
        mask = outline(depth, camera, box)
        if mask is not None:
            yield mask.to(scene.features.values.device)


def _in_windows(scene: Scene, model: Recognizer, extractor: FeatureExtractor, most: int) -> list[Box]:
    """Attend to four parts of the picture, then to windows around what looks most like the class there."""
    height, width = scene.size
    h, w = round(TILE * height), round(TILE * width)
    if min(h, w) < SMALLEST:  # attention to the whole has seen all there is
        return []
    tiles = [(x, y, w, h) for y in (0, height - h) for x in (0, width - w)]
    found: list[Box] = []
    likeness = np.full((height, width), -np.inf, np.float32)
    for window in tiles:
        features = scene.window(window, extractor)
        np.maximum(likeness, _likeness(features, model.prototypes, SMOOTHING), out=likeness)
        found += _new(_attended(features, model), found)
    for window in _around_peaks(likeness):
        if len(found) >= most:
            break
        found += _new(_attended(scene.window(window, extractor), model), found)
    return found[:most]


def _around_peaks(likeness: Float[np.ndarray, "height width"]) -> Iterator[Box]:
    """Choose windows of every size around the places most alike."""
    height, width = likeness.shape
    left, longer = likeness.copy(), max(height, width)
    apart = round(APART * longer)
    for _ in range(PEAKS):
        row, column = (int(at) for at in np.unravel_index(left.argmax(), left.shape))
        sides = (min(round(share * longer), height, width) for share in SIDES)
        for side in (side for side in sides if side >= SMALLEST):
            x = min(max(0, column - side // 2), width - side)
            y = min(max(0, row - side // 2), height - side)
            yield x, y, side, side
        left[max(0, row - apart) : row + apart, max(0, column - apart) : column + apart] = -np.inf


def _attended(features: FeatureMap, model: Recognizer) -> Box | None:
    """Find the largest piece of a window that resembles the class."""
    x, y, w, h = grid.window(features)
    mask = largest(attention_mask(FeatureMap(features.values, (h, w), features.backbone), model.prototypes))
    if not mask.any():
        return None
    left, top, width, height = box_of(mask)
    if max(width, height) < LEAST_SIDE:
        return None
    return left + x, top + y, width, height


def _new(box: Box | None, found: list[Box]) -> list[Box]:
    """Return the box in a list, which is empty without one or where it overlaps a box that was found."""
    return [] if box is None or any(intersection_over_union(box, other) > 0 for other in found) else [box]


def _likeness(
    features: FeatureMap, prototypes: Prototypes, smoothing: float
) -> Float[np.ndarray, "height width"]:
    """Rate every pixel of what the features cover, 0 or negative; negative infinity elsewhere."""
    cells = features.values
    alike = _typical(cells.flatten(0, 1), prototypes).reshape(cells.shape[:2]).cpu().numpy()
    x, y, w, h = grid.window(features)
    likeness = np.full(features.image_size, -np.inf, np.float32)
    if smoothing > 0:
        alike = cv2.GaussianBlur(alike, (0, 0), smoothing)
    likeness[y : y + h, x : x + w] = cv2.resize(alike, (w, h), interpolation=cv2.INTER_LINEAR)
    return likeness


def _alike(scene: Scene, place: Place, extractor: FeatureExtractor, model: Recognizer) -> float:
    """Rate, in [0, 1], how typical of the class an object looks that is encoded alone."""
    mask = place.mask
    if mask is None:
        return 1.0  # attention to the window has said so
    features = scene.close_up(mask, extractor)
    rows, columns = torch.nonzero(mask, as_tuple=True)
    step = max(1, len(rows) // PIXELS)
    pixels = torch.stack([columns, rows], -1).float()[::step]
    deviation = _typical(grid.features_at(features, pixels), model.prototypes)
    return float(torch.exp(-0.5 * deviation**2).mean())


def _typical(features: Float[Tensor, "cell channel"], prototypes: Prototypes) -> Float[Tensor, "cell"]:
    """Compute how many deviations features are from their best prototype, 0 or negative."""
    deviation = features @ prototypes.features.T - prototypes.similarity_mean
    return (deviation / prototypes.similarity_std.clamp_min(LOOSE)).clamp_max(0.0).amax(-1)
