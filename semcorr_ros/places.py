"""Where in an image an object may be: a box or a mask of a detector, or what resembles the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap, Frame, Observation
from semcorr_ros.errors import NotFoundError
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry.boxes import Box, box_of, widened
from semcorr_ros.geometry.distortion import rectify_depth
from semcorr_ros.geometry.measured_depth import is_measured
from semcorr_ros.geometry.taken import from_taken, turned
from semcorr_ros.masks import MaskProvider, Recognizer
from semcorr_ros.masks._depth_segments import segment_by_depth
from semcorr_ros.masks._pieces import grown, largest
from semcorr_ros.masks._standing import outline
from semcorr_ros.masks.attention import SHARE, attention_mask

MARGIN = 0.1  # of a box's longer side, on every side: detectors cut handles off
SMALLEST_PIECE = 0.25  # share of the first piece below which one is part of the background
FEWEST_PIXELS = 8  # along a box's shorter side; in less no network sees anything
COVERED = 0.5  # share of a mask that another one must cover to mean the same
OUTLINE = 65  # points on each side of a box that are taken through a lens
SEAM = 2  # pixels around a piece that belong to no other one
SMALL = "if it is there but small, give a region of interest"


@dataclass(frozen=True)
class Place:
    """Pixels of the picture as it is looked at. With neither, the object may be anywhere."""

    box: Box | None = None
    mask: Bool[Tensor, "height width"] | None = None  # True on the object
    rough: bool = False  # the mask is our own guess, not a detector's

    @property
    def given(self) -> bool:
        """Whether it is anything less than the whole image."""
        return self.box is not None or self.mask is not None


ANYWHERE = Place()


def check_inside(points: Sequence[Sequence[float]], size: tuple[int, int], what: str = "point") -> None:
    """Raises ValueError for a pixel (x, y) that is not in an image of size (h, w)."""
    height, width = size
    for i, (x, y) in enumerate(points):
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise ValueError(f"{what} {i} ({x:.1f}, {y:.1f}) is outside the {width}x{height} source image")


def first_mask(
    masks: Sequence[MaskProvider], sample: AnnotatedImage, seen: Observation, model: Recognizer | None
) -> tuple[Bool[Tensor, "height width"] | None, bool]:
    """Ask the providers in turn; return the first mask, and whether it is given rather than recognised."""
    for provider in masks:
        mask = provider.mask(sample, seen, model)
        if mask is not None:
            return mask, not provider.recognises
    return None, False


def mask_at(
    place: Place,
    sample: AnnotatedImage,
    seen: Observation,
    model: Recognizer | None,
    extractor: FeatureExtractor,
    masks: Sequence[MaskProvider],
) -> tuple[Bool[Tensor, "height width"], bool]:
    """Find the mask of the object at a place, and whether it is given.

    model: None takes the place as it is.

    Inside a box the object is what resembles the class in the features of the whole image; where those
    are too coarse for it, in features of the box alone. Measured depth outlines it against what it stands
    on, and finds it where nothing resembles the class. The providers of masks outline it further.
    Raises NotFoundError.
    """
    mask = place.mask
    if mask is None:
        assert place.box is not None
        whole = _filled(place.box, seen.features)
        mask = whole if model is None else _inside(place.box, seen, model, extractor)
    if model is not None and mask.any() and (place.mask is None or place.rough):
        mask = _outlined(mask, place.box, sample, seen, model, masks)
    if not mask.any():
        what = "is masked" if model is None else f"looks like the class {model.info.name!r}"
        raise NotFoundError(f"nothing in the region {what}")
    return mask.to(seen.features.values.device), place.mask is not None and not place.rough


def mask_in(taken: Bool[Tensor, "height width"], frame: Frame) -> Bool[Tensor, "rows columns"]:
    """Convert a mask of the picture as it was taken to the picture as it is looked at."""
    ideal = taken if frame.lens is None else rectify_depth(taken.float(), frame.lens) > 0.5
    return turned(ideal, frame.rotate)


def box_in(taken: Box, frame: Frame) -> Box | None:
    """Convert a box of the picture as it was taken to the box around its outline as it is looked at; None
    where nothing of it is left."""
    if frame.lens is None and frame.rotate == 0:
        return taken
    x, y, w, h = taken
    across, down = torch.linspace(x, x + w - 1, OUTLINE), torch.linspace(y, y + h - 1, OUTLINE)
    left, right = (torch.stack([torch.full_like(down, at), down], -1) for at in (x, x + w - 1))
    top, bottom = (torch.stack([across, torch.full_like(across, at)], -1) for at in (y, y + h - 1))
    outline = from_taken(torch.cat([left, right, top, bottom]), frame)
    outline = outline[torch.isfinite(outline).all(-1)]
    if not len(outline):
        return None
    height, width = frame.image.shape[:2]
    low = outline.amin(0).round().clamp_min(0).int().tolist()
    x2, y2 = outline.amax(0).round().int().tolist()
    x2, y2 = min(x2, int(width) - 1), min(y2, int(height) - 1)
    return (low[0], low[1], x2 - low[0] + 1, y2 - low[1] + 1) if x2 > low[0] and y2 > low[1] else None


def candidates(seen: Observation, model: Recognizer, most: int) -> list[Place]:
    """Find up to `most` separate regions that look like the class, largest first.

    Without depth, one that is hidden in the middle counts as two. Raises NotFoundError.
    """
    left = attention_mask(seen.features, model.prototypes_at(SHARE * max(seen.features.image_size)))
    found: list[Place] = []
    while len(found) < most and left.any():
        mask = _by_depth(largest(left), left, seen, model)
        first = found[0].mask if found else mask
        if first is None or mask.sum() < SMALLEST_PIECE * first.sum():
            break
        found.append(Place(mask=mask, rough=True))
        left = left & ~torch.from_numpy(grown(mask.cpu().numpy(), SEAM)).to(left.device)
    if not found:
        raise NotFoundError(f"nothing in the image looks like the class {model.info.name!r}; {SMALL}")
    return found


def where_it_was(seen: Observation) -> Place | None:
    """Return the box of the object in an earlier picture of a stream; None where it was not outlined."""
    return None if seen.mask is None or not seen.mask.any() else Place(box=box_of(seen.mask))


def _by_depth(
    mask: Bool[Tensor, "height width"],
    attention: Bool[Tensor, "height width"],
    seen: Observation,
    model: Recognizer,
) -> Bool[Tensor, "height width"]:
    """Replace a mask by the surface under the attention, where depth and camera are known."""
    if seen.depth is None or seen.camera is None:
        return mask
    draws = torch.Generator().manual_seed(0)  # fixed: one image, one mask
    return segment_by_depth(attention, seen.depth, seen.camera, model.diameter, draws)


def _inside(
    box: Box, seen: Observation, model: Recognizer, extractor: FeatureExtractor
) -> Bool[Tensor, "height width"]:
    x, y, w, h = window = widened(box, seen.features.image_size, MARGIN)
    allowed = _filled(window, seen.features)
    prototypes = model.prototypes_at(max(box[2:]))
    mask = attention_mask(seen.features, prototypes) & allowed
    if not mask.any() and extractor.from_pixels and min(w, h) >= FEWEST_PIXELS:
        part = seen.image[y : y + h, x : x + w].cpu().contiguous()
        mask = torch.zeros_like(allowed)
        mask[y : y + h, x : x + w] = attention_mask(extractor.encode(ImageRef(part)), prototypes)
    return _against_plane(mask, box, seen)


def _against_plane(
    attention: Bool[Tensor, "height width"], box: Box, seen: Observation
) -> Bool[Tensor, "height width"]:
    """Sharpen a mask by what stands in the box; where attention has only a part of that, keep the part."""
    if seen.depth is None or seen.camera is None:
        return attention
    found = outline(seen.depth, seen.camera, box)
    if found is None or (attention.any() and not is_measured(seen.depth.values, attention)):
        return attention  # what is measured around glass is not the glass
    both = attention & found
    if not attention.any() or both.sum() > COVERED * found.sum():
        return found
    return both if both.sum() > COVERED * attention.sum() else attention


def _outlined(
    rough: Bool[Tensor, "height width"],
    box: Box | None,
    sample: AnnotatedImage,
    seen: Observation,
    model: Recognizer,
    masks: Sequence[MaskProvider],
) -> Bool[Tensor, "height width"]:
    """Let the providers refine a rough mask within the box; keep the rough one where they find nothing."""
    allowed = torch.ones_like(rough)
    if box is not None:
        x, y, w, h = window = widened(box, seen.features.image_size, MARGIN)
        sample = replace(sample, bbox=(x, y, x + w - 1.0, y + h - 1.0))
        allowed = _filled(window, seen.features)
    found, _ = first_mask(masks, sample, replace(seen, mask=rough.to(seen.image.device)), model)
    found = rough if found is None else found.to(rough.device) & allowed
    return found if found.any() else rough


def _filled(window: Box, features: FeatureMap) -> Bool[Tensor, "height width"]:
    x, y, w, h = window
    filled = torch.zeros(features.image_size, dtype=torch.bool, device=features.values.device)
    filled[y : y + h, x : x + w] = True
    return filled
