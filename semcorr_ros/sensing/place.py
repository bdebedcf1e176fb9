"""Where in an image an object may be: a box or a mask of a detector, and the observation made there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros import pipeline
from semcorr_ros.artifacts import FeatureMap, Observation
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry.distortion import rectify_depth
from semcorr_ros.live_providers import LiveProviders
from semcorr_ros.masks import MaskProvider
from semcorr_ros.masks._depth_segments import diameter, segment_by_depth
from semcorr_ros.masks._pieces import grown, largest
from semcorr_ros.masks.attention import attention_mask, class_prototypes
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.observations import first_mask, unannotated
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.frame import SMALL, Frame, observe
from semcorr_ros.zoom import zoomed

MARGIN = 0.1  # of a box's longer side, on every side: detectors cut handles off
SMALLEST = 4  # pixels
SMALLEST_PIECE = 0.25  # share of the first piece below which one is part of the background
SEAM = 2  # pixels around a piece that belong to no other one

Box = tuple[int, int, int, int]  # x, y, width, height


@dataclass(frozen=True)
class Place:
    """Pixels of the rectified image. With neither, the object may be anywhere."""

    box: Box | None = None
    mask: Bool[Tensor, "height width"] | None = None  # True on the object
    rough: bool = False  # the mask is a guess of ours, not a detector's word


ANYWHERE = Place()


def box_from_message(roi: Any, size: tuple[int, int]) -> Box | None:
    """Box of a sensor_msgs/RegionOfInterest in an image of `size` (h, w); None for an empty one.

    Raises Refusal BAD_REQUEST for a box that is not in the image or hardly larger than a point.
    """
    if roi.width == 0 and roi.height == 0:
        return None
    x, y, w, h = int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)
    if x + w > size[1] or y + h > size[0] or min(w, h) < SMALLEST:
        raise Refusal(
            Code.BAD_REQUEST,
            f"region {w}x{h} at ({x}, {y}) must be at least {SMALLEST} pixels wide and high and lie inside "
            f"the {size[1]}x{size[0]} image",
        )
    return x, y, w, h


def observe_at(
    place: Place, frame: Frame, features: FeatureMap, model: ClassRepresentation, providers: LiveProviders
) -> Observation:
    """The object at a place. Raises Refusal NOT_FOUND.

    Inside a box the object is what resembles the class in the features of the whole image; where those
    are too coarse for it, in features of the box alone. The providers of masks outline it.
    """
    if place.mask is None and place.box is None:
        return observe(frame, features, model, providers)
    ref, device = ImageRef(frame.image), features.values.device
    extras = pipeline.Extras(depth=_to(frame.depth, device), camera=_to(frame.camera, device))
    seen = Observation(frame.image.to(device), features, None, extras.depth, extras.camera)
    mask = place.mask
    if mask is None:
        assert place.box is not None
        mask = _inside(place.box, seen, model, providers.features)
    if mask.any() and (place.mask is None or place.rough):
        mask = _outlined(mask, place.box, seen, model, providers.masks)
    if not mask.any():
        raise Refusal(Code.NOT_FOUND, f"nothing in the region looks like the class {model.info.name!r}")
    given = place.mask is not None and not place.rough
    seen = replace(seen, mask=mask.to(device), mask_is_given=given)
    return replace(zoomed(seen, ref, providers.features), lens=frame.lens)


def rectified_mask(mask: Bool[Tensor, "height width"], frame: Frame) -> Bool[Tensor, "height width"]:
    """A mask of the camera's image as one of the rectified image."""
    return mask if frame.lens is None else rectify_depth(mask.float(), frame.lens) > 0.5


def pieces(frame: Frame, features: FeatureMap, model: ClassRepresentation, most: int) -> list[Place]:
    """Up to `most` separate things that look like the class: candidates where no detector says more.

    Largest first. Without depth, one that is hidden in the middle counts as two. Raises Refusal NOT_FOUND.
    """
    device = features.values.device
    depth, camera = _to(frame.depth, device), _to(frame.camera, device)
    left = attention_mask(features, class_prototypes(model))
    found: list[Place] = []
    while len(found) < most and left.any():
        mask = largest(left)
        if depth is not None and camera is not None:
            draws = torch.Generator().manual_seed(0)
            mask = segment_by_depth(left, depth, camera, diameter(model), draws)
        first = found[0].mask if found else mask
        if first is None or mask.sum() < SMALLEST_PIECE * first.sum():
            break
        found.append(Place(mask=mask, rough=True))
        left = left & ~torch.from_numpy(grown(mask.cpu().numpy(), SEAM)).to(device)
    if not found:
        sentence = f"nothing in the image looks like the class {model.info.name!r}; {SMALL}"
        raise Refusal(Code.NOT_FOUND, sentence)
    return found


def _inside(
    box: Box, seen: Observation, model: ClassRepresentation, extractor: FeatureExtractor
) -> Bool[Tensor, "height width"]:
    x, y, w, h = window = _widened(box, seen.features.image_size)
    allowed = _filled(window, seen.features.image_size, seen.features.values.device)
    prototypes = class_prototypes(model)
    mask = attention_mask(seen.features, prototypes) & allowed
    if not mask.any() and getattr(extractor, "from_pixels", False):
        part = seen.image[y : y + h, x : x + w].cpu().contiguous()
        mask = torch.zeros_like(allowed)
        mask[y : y + h, x : x + w] = attention_mask(extractor.encode(ImageRef(part)), prototypes)
    if not mask.any() or seen.depth is None or seen.camera is None:
        return mask
    draws = torch.Generator().manual_seed(0)  # fixed: one image, one mask
    return segment_by_depth(mask, seen.depth, seen.camera, diameter(model), draws) & allowed


def _outlined(
    rough: Bool[Tensor, "height width"],
    box: Box | None,
    seen: Observation,
    model: ClassRepresentation,
    masks: Sequence[MaskProvider],
) -> Bool[Tensor, "height width"]:
    """What the providers make of a rough mask, within the box; the rough one where they know no better."""
    size = seen.features.image_size
    sample, allowed = unannotated(model.info.name, size), torch.ones_like(rough)
    if box is not None:
        x, y, w, h = window = _widened(box, size)
        sample = replace(sample, bbox=(x, y, x + w - 1.0, y + h - 1.0))
        allowed = _filled(window, size, rough.device)
    found, _ = first_mask(masks, sample, replace(seen, mask=rough.to(seen.image.device)), model)
    found = rough if found is None else found.to(rough.device) & allowed
    return found if found.any() else rough


def _filled(window: Box, size: tuple[int, int], device: torch.device) -> Bool[Tensor, "height width"]:
    x, y, w, h = window
    filled = torch.zeros(size, dtype=torch.bool, device=device)
    filled[y : y + h, x : x + w] = True
    return filled


def _widened(box: Box, size: tuple[int, int]) -> Box:
    x, y, w, h = box
    margin = round(MARGIN * max(w, h))
    left, top = max(0, x - margin), max(0, y - margin)
    return left, top, min(size[1], x + w + margin) - left, min(size[0], y + h + margin) - top


def _to(part: Any, device: torch.device) -> Any:
    """Camera or depth on the device."""
    if part is None:
        return None
    tensors = {name: value.to(device) for name, value in vars(part).items() if isinstance(value, Tensor)}
    return replace(part, **tensors)
