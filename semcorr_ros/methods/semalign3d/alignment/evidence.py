"""Reduce an observation to what the energy needs: sampled points, similarities, background, depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap, Observation, Prototypes
from semcorr_ros.errors import NotFoundError
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.geometry.boxes import Box, widened
from semcorr_ros.geometry.measured_depth import is_measured
from semcorr_ros.methods.semalign3d.alignment.state import BackgroundGrid, Evidence, ImageFrame, ImageSamples
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

UPSCALED = ("features", "similarities")
LEAST_STD = 1e-3  # of a similarity, whatever the floor


@dataclass(frozen=True)
class EvidenceConfig:
    """Constants of the evidence."""

    samples: int = 1024  # image points in the pool; each step looks at a part of it
    candidates: int = 4096  # object pixels the pool is drawn from
    attention_floor: float = 0.05  # sampling weight of object pixels that resemble nothing
    similarity_std_floor: float = 0.05  # unseen instances deviate more than training images
    upscale: str = "features"  # what is interpolated between cells; "similarities": as in Eq. 4
    one_sided: bool = True  # a similarity above the training mean is as good as the mean
    around: float | None = 0.25  # what counts around the features' window, in its sides; None: the image
    background_cells: int = 48  # along the longer side of what counts
    measured: int = 800  # points of the object's measured surface
    empty_cells: int = 2  # around a cell, all of which must be seen through for it to be empty
    relief_trust: float = 1.0  # weight of a relief error relative to an image distance; 0 = ignored
    guessed_relief: float = 0.01  # the same, of a surface that was interpolated between keypoints
    visibility: bool = True  # only class points on the near side may explain a pixel
    relative_depth: bool = False  # Eq. 12 in units of d_target, as in the release, not of the object's radius

    def __post_init__(self) -> None:
        if self.upscale not in UPSCALED:
            raise ValueError(f"upscale must be one of {', '.join(UPSCALED)}, got {self.upscale!r}")


def gather_evidence(
    model: ClassRepresentation, seen: Observation, config: EvidenceConfig, generator: torch.Generator
) -> Evidence:
    """Reduce `seen` to what aligning `model` needs. Raises NotFoundError for an empty mask."""
    region = _region(seen, config.around)
    frame = image_frame(seen, region)
    mask = _object_mask(seen)
    pixels = _object_pixels(mask, config.candidates, generator)
    features = features_between(seen.features, pixels, config.upscale)
    dense = log_semantic(features, model.dense.prototypes, config)
    sparse = log_semantic(features, model.sparse_prototypes, config)
    sparse[:, ~model.annotated] = -torch.inf
    object_depth, relief = _relief(seen, mask, pixels)
    points = frame.normalize(pixels)
    weight = dense.max(-1).values.exp().clamp_min(config.attention_floor)
    center = (points * weight[:, None]).sum(0) / weight.sum()
    squared = ((points - center) ** 2).sum(-1)
    measured = torch.isfinite(relief)
    trust = config.relief_trust if model.surface_measured else config.guessed_relief * config.relief_trust
    of_surface = ImageSamples(points, dense, relief.nan_to_num(0.0), measured * trust**2, measured)
    of_keypoints = replace(of_surface, log_semantic=sparse, relief_weight=measured * config.relief_trust**2)
    return Evidence(
        frame=frame,
        dense=of_surface.subset(_draw(weight, config.samples, generator)),
        sparse=of_keypoints.subset(
            _draw(sparse.max(-1).values.exp().clamp_min(1e-6), config.samples, generator)
        ),
        background=_background(seen, frame, region, config.background_cells),
        visibility=config.visibility,
        center=center,
        radius=float(((squared * weight).sum() / weight.sum()).sqrt().clamp_min(1e-3)),
        object_depth=object_depth,
        focal=None if seen.camera is None else float(seen.camera.focal[0] / frame.pixels_per_unit[0]),
        relative_depth=config.relative_depth,
        nearest=_nearest(seen, object_depth, region, config),
        measured=_measured(points, relief, config),
    )


def image_frame(seen: Observation, region: Box) -> ImageFrame:
    """Make the frame of normalized image coordinates of an observation, for the part that counts."""
    h, w = seen.features.image_size
    side = max(region[2:])
    device = seen.features.values.device
    camera = seen.camera or cameras.centered(float(max(h, w)), (h, w))
    focal = camera.focal.to(device)
    return ImageFrame(camera.principal_point.to(device), side * focal / focal[0], max(h, w) / side)


def _region(seen: Observation, around: float | None) -> Box:
    """Choose the part of the image that counts: all of it, or what is around the features' window."""
    height, width = size = seen.features.image_size
    return (0, 0, width, height) if around is None else widened(grid.window(seen.features), size, around)


def features_between(
    features: FeatureMap, pixels: Float[Tensor, "sample 2"], upscale: str
) -> Float[Tensor, "sample channel"]:
    """Read features at pixels, so that their products with a prototype are its similarities there.

    upscale: "features": of unit norm everywhere; "similarities": the products come out as if they were taken
    at the cells and interpolated in between (Eq. 4).
    """
    if upscale == "features":
        return grid.features_at(features, pixels)
    return grid.interpolated(features, pixels)


def log_semantic(
    features: Float[Tensor, "sample channel"], prototypes: Prototypes, config: EvidenceConfig
) -> Float[Tensor, "sample point"]:
    """Compute log p_sem of Eq. 4 from the features of samples."""
    return log_typical(features @ prototypes.features.T, prototypes, config)


def log_typical(
    similarity: Float[Tensor, "sample point"], prototypes: Prototypes, config: EvidenceConfig
) -> Float[Tensor, "sample point"]:
    """Compute log p_sem of Eq. 4: how typical the similarity of a sample to each prototype is."""
    deviation = similarity - prototypes.similarity_mean
    if config.one_sided:
        deviation = deviation.clamp_max(0.0)
    std = prototypes.similarity_std.clamp_min(max(config.similarity_std_floor, LEAST_STD))
    return -0.5 * (deviation / std) ** 2


def _object_mask(seen: Observation) -> Bool[Tensor, "height width"]:
    if seen.mask is None:
        device = seen.features.values.device
        return torch.ones(seen.features.image_size, dtype=torch.bool, device=device)
    if not seen.mask.any():
        raise NotFoundError("the object mask is empty: nothing to align to")
    return seen.mask


def _object_pixels(
    mask: Bool[Tensor, "height width"], count: int, generator: torch.Generator
) -> Float[Tensor, "sample 2"]:
    rows, columns = torch.nonzero(mask, as_tuple=True)
    if len(rows) > count:
        pick = torch.randperm(len(rows), generator=generator)[:count].to(rows.device)
        rows, columns = rows[pick], columns[pick]
    return torch.stack([columns, rows], -1).float()


def _relief(
    seen: Observation, mask: Bool[Tensor, "height width"], pixels: Float[Tensor, "sample 2"]
) -> tuple[float, Float[Tensor, "sample"]]:
    """Compute the median depth of the object, and depth / median - 1 at pixels (NaN = invalid).

    Median 0 where too little of the object is measured: a few pixels may be the wall behind it.
    """
    nothing = torch.full((len(pixels),), torch.nan, device=pixels.device)
    if seen.depth is None or not is_measured(seen.depth.values, mask):
        return 0.0, nothing
    depth = torch.where(seen.depth.values > 0, seen.depth.values, torch.nan)
    depth = torch.where(torch.isfinite(depth), depth, torch.nan)
    on_object = depth[mask]
    median = float(on_object[torch.isfinite(on_object)].median())
    columns, rows = pixels.long().unbind(-1)
    return median, depth[rows, columns] / median - 1


def _draw(weight: Float[Tensor, "sample"], count: int, generator: torch.Generator) -> Tensor:
    """Draw rows in proportion to weight, with replacement, on the device of `weight`."""
    return torch.multinomial(weight.cpu(), count, replacement=True, generator=generator).to(weight.device)


def _background(seen: Observation, frame: ImageFrame, region: Box, cells: int) -> BackgroundGrid:
    """Average the share of background over cells of a region; all zero without a mask."""
    x, y, w, h = region
    device = seen.features.values.device
    shape = _grid(region, cells)
    share = torch.zeros(shape, device=device)
    if seen.mask is not None:
        outside = ~seen.mask[y : y + h, x : x + w]
        share = torch.nn.functional.adaptive_avg_pool2d(outside.float()[None, None], shape)[0, 0]
    step = torch.tensor([w / shape[1], h / shape[0]], device=device)
    origin = frame.normalize(torch.tensor([x, y], device=device) + step / 2 - 0.5)
    return BackgroundGrid(share, origin, step / frame.pixels_per_unit)


def _measured(
    points: Float[Tensor, "sample 2"], relief: Float[Tensor, "sample"], config: EvidenceConfig
) -> Float[Tensor, "point 3"] | None:
    """Take measured points of the object, whatever they look like."""
    known = torch.cat([points, relief[:, None]], -1)[torch.isfinite(relief)]
    if len(known) == 0:
        return None
    return known[torch.linspace(0, len(known) - 1, min(len(known), config.measured)).long()]


def _nearest(
    seen: Observation, object_depth: float, region: Box, config: EvidenceConfig
) -> Float[Tensor, "row column"] | None:
    """Take the nearest relief measured around every cell of the background's grid."""
    if seen.depth is None or object_depth == 0:
        return None
    x, y, w, h = region
    depth = seen.depth.values[y : y + h, x : x + w]
    nearness = torch.where(torch.isfinite(depth) & (depth > 0), 1 - depth / object_depth, -torch.inf)
    shape, reach = _grid(region, config.background_cells), config.empty_cells
    cells = torch.nn.functional.adaptive_max_pool2d(nearness[None, None], shape)
    cells = torch.nn.functional.max_pool2d(cells, 2 * reach + 1, 1, reach)[0, 0]
    return torch.where(torch.isfinite(cells), -cells, -torch.inf)


def _grid(region: Box, cells: int) -> tuple[int, int]:
    """Count the cells (rows, columns) of a region."""
    _, _, w, h = region
    return max(1, round(cells * h / max(h, w))), max(1, round(cells * w / max(h, w)))
