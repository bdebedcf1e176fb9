"""From a picture to an `Observation`: decoded and encoded once (`Scene`), then looked at for each class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros import backbones, rendered
from semcorr_ros.artifacts import AnnotatedImage, Camera, DepthMap, FeatureMap, Frame, Lens, Observation
from semcorr_ros.depth import DepthProvider, ImageDepth
from semcorr_ros.errors import NotFoundError
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.files.picture import image_size, read_image
from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.boxes import Box, box_of
from semcorr_ros.geometry.taken import straightened
from semcorr_ros.masks import MaskProvider, Recognizer
from semcorr_ros.places import ANYWHERE, SMALL, Place, first_mask, mask_at
from semcorr_ros.zoom import coarsened, encode_object, encode_window, object_window

LEAST_SHRINK = 0.7  # a copy that is hardly smaller says nothing new

Part = TypeVar("Part", Camera, DepthMap)


@dataclass(frozen=True)
class Providers:
    """Where features, depth and masks come from. The first mask provider with an answer wins."""

    features: FeatureExtractor
    depth: DepthProvider | None = None
    masks: tuple[MaskProvider, ...] = ()
    depth_required: bool = True  # False: an image without a depth file is observed without depth


@dataclass(frozen=True)
class Scene:
    """A picture and all that is computed from it for any class."""

    frame: Frame  # depth filled in by a network where there is one
    features: FeatureMap  # of the whole image
    sample: AnnotatedImage  # what a data set says of it; a camera's is unannotated
    ref: ImageRef
    # Windows that have been encoded: what was proposed is looked at again when it is placed.
    windows: dict[Box, FeatureMap] = field(default_factory=dict, repr=False, compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the image."""
        return self.features.image_size

    def close_up(self, mask: Bool[Tensor, "height width"], extractor: FeatureExtractor) -> FeatureMap:
        """Encode the window around an object; the whole image where a window gains nothing (zoom.py)."""
        window = object_window(mask) if extractor.from_pixels else None
        return self.features if window is None else self.window(window, extractor)

    def window(self, window: Box, extractor: FeatureExtractor) -> FeatureMap:
        """Encode a part of the image, once."""
        if window not in self.windows:
            self.windows[window] = encode_window(self.ref, window, extractor)
        return self.windows[window]

    def seen(self) -> Observation:
        """Return the whole picture as an observation without a mask, on the device of its features."""
        frame, device = self.frame, self.features.values.device
        return Observation(
            image=frame.image.to(device),
            features=self.features,
            depth=_to(frame.depth, device),
            camera=_to(frame.camera, device),
        )


def scene_of_frame(frame: Frame, features: FeatureExtractor, depth: ImageDepth | None = None) -> Scene:
    """Encode a camera's picture. depth: network for pictures without measured depth."""
    frame = with_depth(frame, depth)
    ref, size = ImageRef(frame.image), (int(frame.image.shape[0]), int(frame.image.shape[1]))
    return Scene(frame, features.encode(ref), unannotated("", size), ref)


def scene_of_sample(
    sample: AnnotatedImage, providers: Providers, lens: Lens | None = None, rotate: int = 0
) -> Scene:
    """Read and encode an image of a data set; a lone one after its lens was taken out and it was turned.

    Raises FileNotFoundError or ValueError naming the file.
    """
    image = read_image(sample.image_path)
    if image.shape[:2] != sample.size:
        (h, w), (height, width) = image.shape[:2], sample.size
        turned = " before its EXIF data turn it" if sample.size == (w, h) else ""
        raise ValueError(f"{sample.image_path} is {w}x{h} but its annotation says {width}x{height}{turned}")
    rendered.warn_of_photograph(providers.features.backbone, sample.image_path)
    if providers.features.from_files and (lens is not None or rotate):
        raise ValueError("features from files are of the picture as it is: without distortion and --rotate")
    depth = _depth(sample, providers)
    frame = straightened(Frame(image, _camera(sample, depth), depth), lens, rotate)
    if rotate:
        lone = unannotated(sample.category, (int(frame.image.shape[0]), int(frame.image.shape[1])))
        sample = replace(sample, size=lone.size, bbox=lone.bbox)
    ref = ImageRef(frame.image, sample.picture, sample.category, path=sample.image_path)
    return Scene(frame, providers.features.encode(ref), sample, ref)


def with_depth(frame: Frame, network: ImageDepth | None) -> Frame:
    """Give a frame without measured depth the network's, and an uncalibrated camera its focal length."""
    if network is None or frame.depth is not None:
        return frame
    depth = network.from_image(frame.image, frame.camera)
    camera = frame.camera
    if camera is None and depth.focal is not None:
        camera = cameras.centered(depth.focal, (frame.image.shape[0], frame.image.shape[1]))
    return replace(frame, depth=depth, camera=camera)


def look(
    scene: Scene,
    features: FeatureExtractor,
    masks: tuple[MaskProvider, ...],
    model: Recognizer | None = None,
    place: Place = ANYWHERE,
) -> Observation:
    """Find the object in a scene and encode it alone; without masks, the whole scene.

    `model` lets masks be found by attention.
    Raises NotFoundError for a place where nothing looks like the class.
    """
    seen, sample = scene.seen(), scene.sample
    if model is not None and not sample.category:
        sample = replace(sample, category=model.info.name)
    if place.box is None and place.mask is None:
        found, given = first_mask(masks, sample, seen, model)
        if found is None:
            return replace(seen, lens=scene.frame.lens, rotate=scene.frame.rotate)
        seen = replace(seen, mask=found.to(seen.features.values.device), mask_is_given=given)
    else:
        found, given = mask_at(place, sample, seen, model, features, masks)
        seen = replace(seen, mask=found, mask_is_given=given)
    assert seen.mask is not None
    close = scene.close_up(seen.mask, features)
    return replace(seen, features=close, lens=scene.frame.lens, rotate=scene.frame.rotate)


def look_for(
    scene: Scene,
    features: FeatureExtractor,
    masks: tuple[MaskProvider, ...],
    model: Recognizer,
    place: Place = ANYWHERE,
) -> Observation:
    """Find an object as `look` does. Raises NotFoundError where nothing looks like the class."""
    seen = look(scene, features, masks, model, place)
    if seen.mask is None or not seen.mask.any():
        raise NotFoundError(f"nothing in the image looks like the class {model.info.name!r}; {SMALL}")
    return seen


def observe(sample: AnnotatedImage, providers: Providers, model: Recognizer | None = None) -> Observation:
    """Read an image of a data set with everything the providers know about it, on the features' device.

    `model` lets masks be found by attention. Raises FileNotFoundError or ValueError naming the file;
    callers that work through many images skip and report it. BackboneMismatchError for another class.
    """
    if model is not None:
        backbones.check(model, providers.features.backbone)
    place = ANYWHERE if model is None else _place_of(sample)
    scene = scene_of_sample(sample, providers)
    if model is not None:
        _check_channels(scene.features, model, sample)
    return look(scene, providers.features, providers.masks, model, place)


def _check_channels(features: FeatureMap, model: Recognizer, sample: AnnotatedImage) -> None:
    """Files may say they are of a backbone (backbone.json) and not be."""
    own, wanted = features.values.shape[-1], model.prototypes_at(max(sample.size)).features.shape[-1]
    if own != wanted:
        raise ValueError(
            f"{sample.picture}: features of {own} channels, the class {model.info.name!r} was built on "
            f"{wanted}: encode the image as the class's were"
        )


def _place_of(sample: AnnotatedImage) -> Place:
    """Say by its box which object is meant, where the picture shows several."""
    if not sample.shared:
        return ANYWHERE
    (height, width), (x1, y1, x2, y2) = sample.size, sample.bbox
    x, y = max(0, math.floor(x1)), max(0, math.floor(y1))
    return Place(box=(x, y, min(width, math.ceil(x2) + 1) - x, min(height, math.ceil(y2) + 1) - y))


def observe_coarsely(
    sample: AnnotatedImage, seen: Observation, providers: Providers, side: int
) -> Observation | None:
    """Observe an object again as a camera sees it from afar: `side` pixels large, everything else as it is.

    None where it is hardly larger than that, and for features that are not computed from pixels.
    """
    if seen.mask is None or not seen.mask.any() or not providers.features.from_pixels:
        return None
    shrink = side / max(box_of(seen.mask)[2:])
    if shrink > LEAST_SHRINK:
        return None
    image = coarsened(seen.image.cpu(), shrink)
    ref = ImageRef(image, sample.picture, sample.category, path=sample.image_path)
    features = encode_object(ref, seen.mask, providers.features)
    return replace(seen, image=image.to(seen.image.device), features=features)


def observe_mirrored(sample: AnnotatedImage, seen: Observation, providers: Providers) -> Observation | None:
    """Mirror `seen` left/right, with features encoded anew (a flipped map would be another one).

    None where the backbone has no mirrored features for this image (precomputed without `_flip`).
    """
    image = seen.image.flip(1)
    mask = None if seen.mask is None else seen.mask.flip(1)
    ref = ImageRef(image.cpu(), sample.picture, sample.category, mirrored=True, path=sample.image_path)
    try:
        features = encode_object(ref, mask, providers.features)
    except FileNotFoundError:
        return None
    return Observation(
        image=image,
        features=features,
        mask=mask,
        depth=None if seen.depth is None else replace(seen.depth, values=seen.depth.values.flip(1)),
        camera=None if seen.camera is None else cameras.mirrored(seen.camera),
    )


def lone_image(
    path: str | Path, category: str, depth_path: Path | None = None, camera: Camera | None = None
) -> AnnotatedImage:
    """Describe a picture outside any data set as a sample without keypoints; its box is the whole image.

    Raises FileNotFoundError or ValueError naming the file.
    """
    path = Path(path)
    lone = unannotated(category, image_size(path))
    return replace(lone, name=path.stem, image_path=path, depth_path=depth_path, camera=camera)


def unannotated(category: str, size: tuple[int, int]) -> AnnotatedImage:
    """Describe an image without file and keypoints; its box is the whole image."""
    return AnnotatedImage(
        name="",
        category=category,
        image_path=Path(),
        size=size,
        keypoints=torch.zeros(0, 2),
        visible=torch.zeros(0, dtype=torch.bool),
        bbox=(0.0, 0.0, size[1] - 1.0, size[0] - 1.0),
    )


def _depth(sample: AnnotatedImage, providers: Providers) -> DepthMap | None:
    if providers.depth is None:
        return None
    try:
        return providers.depth.depth(sample)
    except FileNotFoundError:
        if providers.depth_required:
            raise
        return None


def _camera(sample: AnnotatedImage, depth: DepthMap | None) -> Camera | None:
    """Return the data set's camera, else one with the focal length that the depth network estimated."""
    if sample.camera is None and depth is not None and depth.focal is not None:
        return cameras.centered(depth.focal, sample.size)
    return sample.camera


def _to(part: Part | None, device: torch.device) -> Part | None:
    """Move a camera or a depth map to the device."""
    if part is None:
        return None
    moved: dict[str, Any] = {k: v.to(device) for k, v in vars(part).items() if isinstance(v, Tensor)}
    return replace(part, **moved)
