"""The Python interface: load a class, give it pictures, get answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from semcorr_ros import backbones, methods
from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.finder import Finder
from semcorr_ros.geometry import cameras
from semcorr_ros.live_providers import live_providers
from semcorr_ros.methods import Model, Quality
from semcorr_ros.places import Box, Place
from semcorr_ros.provider_options import DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.visualization.overlay import draw_answer


def load(
    class_file: str | Path,
    device: str = "auto",
    min_score: float | None = None,
    quality: str = "fast",
    seed: int = 0,
) -> LoadedClass:
    """Load a class file and the backbone that it was built on.

    device: of torch; auto = cuda where there is one. min_score: confidence below which an object is refused
    (default: the backbone's own). quality: "fast", "paper", or a YAML file. Raises FileNotFoundError,
    ValueError for a damaged file, ImportError naming the extra that its backbone needs.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    options = FeatureOptions(), MaskOptions(), DepthOptions()
    origin = methods.read_origin(class_file)
    providers = live_providers(options, device, origin, lambda group, name: name)
    model = methods.load(class_file, device, Quality(quality))
    backbones.check(model, providers.features.backbone, class_file)
    return LoadedClass(model, Finder(providers, min_score, seed))


def draw(
    answer: Answer, image: UInt8[np.ndarray, "height width 3"] | None = None
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draw an answer; one that is refused in a red frame with the reason.

    image: RGB, without the lens's distortion (default: the one that was looked at).
    """
    if image is None:
        if answer.placed is None:
            raise ValueError("nothing was placed: give the image to draw on")
        shown = answer.placed.seen.image.cpu()
    else:
        shown = torch.from_numpy(np.ascontiguousarray(image))
    return np.asarray(draw_answer(shown, answer))


@dataclass(frozen=True)
class LoadedClass:
    """A class, ready to be found in pictures."""

    model: Model
    finder: Finder

    @property
    def keypoints(self) -> tuple[str, ...]:
        """Names of the keypoints that can be found."""
        return self.model.known

    def find(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        depth: Float[np.ndarray, "height width"] | None = None,
        K: Any = None,
        box: Box | None = None,
        mask: Bool[np.ndarray, "height width"] | None = None,
    ) -> Answer:
        """Find the object in an RGB picture, and its keypoints.

        depth: metres along the optical axis, 0 or NaN where unknown, registered to the image. K: 3x3 camera
        matrix in pixels. box: (x, y, width, height) in pixels, or mask: True on the object, from a detector.
        Metric positions need depth and K. Raises ValueError naming what does not fit.
        """
        frame = _frame(image, depth, K)
        given = None if mask is None else torch.from_numpy(np.ascontiguousarray(_mask(mask, frame)))
        place = Place(box=None if box is None or mask is not None else _box(box, frame), mask=given)
        return self.finder.find(self.model, self.finder.scene(frame), place)

    def transfer(self, source: Answer, pixels: Any, target: Answer, names: Sequence[str] = ()) -> Answer:
        """Carry pixels (n, 2) of the source's picture over to the target's."""
        points = torch.as_tensor(np.asarray(pixels, np.float32)).reshape(-1, 2)
        names = tuple(names) or tuple(f"point_{i}" for i in range(len(points)))
        if len(names) != len(points):
            raise ValueError(f"{len(names)} names for {len(points)} pixels")
        return self.finder.transfer(source, points, names, target)


def _frame(image: Any, depth: Any, K: Any) -> Frame:
    image = np.ascontiguousarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 RGB (height, width, 3), got {image.dtype} {image.shape}")
    size = (int(image.shape[0]), int(image.shape[1]))
    camera = None if K is None else cameras.from_matrix(torch.as_tensor(np.asarray(K, np.float32)), size)
    measured = None
    if depth is not None:
        depth = np.asarray(depth)
        if depth.shape != size or depth.dtype.kind != "f":
            told = f"got {depth.dtype} {depth.shape}; divide millimetres by 1000"
            raise ValueError(f"depth must be float metres {size}, {told}")
        measured = DepthMap(torch.from_numpy(np.ascontiguousarray(depth, np.float32)), metric=True)
    return Frame(torch.from_numpy(image), camera, measured)


def _mask(mask: Any, frame: Frame) -> np.ndarray:
    mask, size = np.asarray(mask), tuple(frame.image.shape[:2])
    if mask.dtype != bool or mask.shape != size or not mask.any():
        told = f"got {mask.dtype} {mask.shape}, {int((mask != 0).sum())} True"
        raise ValueError(f"mask must be bool {size} with a True pixel, {told}")
    return mask


def _box(box: Box, frame: Frame) -> Box:
    x, y, width, height = (round(float(value)) for value in box)
    h, w = frame.image.shape[:2]
    if min(x, y) < 0 or min(width, height) < 4 or x + width > w or y + height > h:
        raise ValueError(
            f"box (x, y, width, height) {tuple(box)} must lie inside the {w}x{h} image, 4 px or more"
        )
    return x, y, width, height
