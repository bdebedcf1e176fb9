"""A project's pictures as the rest of the package reads them, and for a while what was computed from them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap
from semcorr_ros.datasets._listed import box_of
from semcorr_ros.depth import DEPTH
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.files.camera import read_camera
from semcorr_ros.files.mask import read_mask
from semcorr_ros.masks._keypoint_hull import KeypointHull
from semcorr_ros.observations import Providers, Scene, scene_of_sample
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.state import State, Taken

KEPT = 24  # scenes, the least recently used one is dropped
KEPT_MAPS = 120  # feature maps of single objects


@dataclass
class Library:
    """Reads pictures once; used from the thread that computes only."""

    session: Session
    extractor: FeatureExtractor

    def __post_init__(self) -> None:
        self._scenes: OrderedDict[Any, Scene] = OrderedDict()
        self._maps: OrderedDict[Any, FeatureMap] = OrderedDict()

    def scene(self, picture: Taken) -> Scene:
        """Read and encode a picture. Raises FileNotFoundError or ValueError naming the file."""
        key = picture.name, picture.file
        if key not in self._scenes:
            sample = sample_of(self.session, self.session.state, picture)
            depth = DEPTH.load("sensor").make({}, {}) if sample.depth_path else None
            self._scenes[key] = scene_of_sample(sample, Providers(self.extractor, depth))
        return _recent(self._scenes, key, KEPT)

    def mask(self, picture: Taken) -> Bool[Tensor, "height width"] | None:
        """Read the outline of a picture; where it has none, the hull of its keypoints."""
        if picture.mask:
            return read_mask(self.session.path(picture.mask), picture.size)
        sample = sample_of(self.session, self.session.state, picture)
        return KeypointHull().mask(sample, self.scene(picture).seen(), None)

    def features(self, picture: Taken) -> FeatureMap:
        """Encode the object of a picture alone, as a build does."""
        place = tuple(sorted(picture.seen.items())) if not picture.mask else picture.mask
        key = picture.name, picture.file, place
        if key not in self._maps:
            mask, scene = self.mask(picture), self.scene(picture)
            self._maps[key] = scene.features if mask is None else scene.close_up(mask, self.extractor)
        return _recent(self._maps, key, KEPT_MAPS)


def sample_of(session: Session, state: State, picture: Taken) -> AnnotatedImage:
    """Describe a picture as an image of a data set. Raises ValueError or FileNotFoundError."""
    points = points_of(state, picture)
    return AnnotatedImage(
        name=picture.name,
        category=state.category,
        image_path=session.path(picture.file),
        size=picture.size,
        keypoints=points,
        visible=points.isfinite().all(-1),
        bbox=box_of(points, picture.size),
        mask_path=session.path(picture.mask) if picture.mask else None,
        depth_path=session.path(picture.depth) if picture.depth else None,
        camera=read_camera(session.path(picture.camera), picture.size) if picture.camera else None,
    )


def points_of(state: State, picture: Taken) -> Float[Tensor, "keypoint 2"]:
    """Return the marks of a picture, a row per keypoint of the class; NaN where hidden or not marked."""
    nowhere = (float("nan"), float("nan"))
    rows = [picture.marks.get(name) or nowhere for name in state.keypoints]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 2)


def _recent(kept: OrderedDict[Any, Any], key: Any, most: int) -> Any:
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
    return kept[key]
