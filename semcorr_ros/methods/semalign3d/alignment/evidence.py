"""Reduce an observation to what the energy needs: sampled points, similarities, background, depth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import Observation, Prototypes
from semcorr_ros.errors import NotFoundError
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.geometry.measured_depth import is_measured
from semcorr_ros.methods.semalign3d.alignment.state import BackgroundGrid, Evidence, ImageFrame, ImageSamples
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


@dataclass(frozen=True)
class EvidenceConfig:
    """Constants of the evidence."""

    samples: int = 1024  # image points in the pool; each step looks at a part of it
    candidates: int = 4096  # object pixels the pool is drawn from
    attention_floor: float = 0.05  # sampling weight of object pixels that resemble nothing
    similarity_std_floor: float = 0.05  # unseen instances deviate more than training images
    one_sided: bool = True  # a similarity above the training mean is as good as the mean
    background_cells: int = 48  # along the longer image side
    relief_trust: float = 1.0  # weight of a relief error relative to an image distance; 0 = ignored
    visibility: bool = True  # only class points on the near side may explain a pixel


def gather_evidence(
    model: ClassRepresentation, seen: Observation, config: EvidenceConfig, generator: torch.Generator
) -> Evidence:
    """Reduce `seen` to what aligning `model` needs. Raises NotFoundError for an empty mask."""
    frame = image_frame(seen)
    mask = _object_mask(seen)
    pixels = _object_pixels(mask, config.candidates, generator)
    similarities = grid.features_at(seen.features, pixels)
    dense = log_semantic(similarities, model.dense.prototypes, config)
    sparse = log_semantic(similarities, model.sparse_prototypes, config)
    sparse[:, ~model.annotated] = -torch.inf
    object_depth, relief = _relief(seen, mask, pixels)
    points = frame.normalize(pixels)
    weight = dense.max(-1).values.exp().clamp_min(config.attention_floor)
    center = (points * weight[:, None]).sum(0) / weight.sum()
    squared = ((points - center) ** 2).sum(-1)
    all_samples = ImageSamples(
        points, dense, relief.nan_to_num(0.0), torch.isfinite(relief).float() * config.relief_trust**2
    )
    return Evidence(
        frame=frame,
        dense=all_samples.subset(_draw(weight, config.samples, generator)),
        sparse=_with_semantic(all_samples, sparse).subset(
            _draw(sparse.max(-1).values.exp().clamp_min(1e-6), config.samples, generator)
        ),
        background=_background(seen, frame, config.background_cells),
        visibility=config.visibility,
        center=center,
        radius=float(((squared * weight).sum() / weight.sum()).sqrt().clamp_min(1e-3)),
        object_depth=object_depth,
        focal=None if seen.camera is None else float(seen.camera.focal[0] / frame.pixels_per_unit[0]),
    )


def image_frame(seen: Observation) -> ImageFrame:
    """Make the frame of normalized image coordinates of an observation."""
    h, w = seen.features.image_size
    device = seen.features.values.device
    camera = seen.camera or cameras.centered(float(max(h, w)), (h, w))
    focal = camera.focal.to(device)
    return ImageFrame(camera.principal_point.to(device), max(h, w) * focal / focal[0])


def log_semantic(
    features: Float[Tensor, "sample channel"], prototypes: Prototypes, config: EvidenceConfig
) -> Float[Tensor, "sample point"]:
    """Compute log p_sem of Eq. 4: how typical the similarity of a sample to each prototype is."""
    deviation = features @ prototypes.features.T - prototypes.similarity_mean
    if config.one_sided:
        deviation = deviation.clamp_max(0.0)
    return -0.5 * (deviation / prototypes.similarity_std.clamp_min(config.similarity_std_floor)) ** 2


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


def _with_semantic(samples: ImageSamples, semantic: Float[Tensor, "sample point"]) -> ImageSamples:
    return ImageSamples(samples.points, semantic, samples.relief, samples.relief_weight)


def _background(seen: Observation, frame: ImageFrame, cells: int) -> BackgroundGrid:
    """Average the share of background over cells; all zero without a mask."""
    h, w = seen.features.image_size
    device = seen.features.values.device
    shape = (max(1, round(cells * h / max(h, w))), max(1, round(cells * w / max(h, w))))
    share = torch.zeros(shape, device=device)
    if seen.mask is not None:
        share = torch.nn.functional.adaptive_avg_pool2d((~seen.mask).float()[None, None], shape)[0, 0]
    step = torch.tensor([w / shape[1], h / shape[0]], device=device)
    origin = frame.normalize(step / 2 - 0.5)
    return BackgroundGrid(share, origin, step / frame.pixels_per_unit)
