"""The object is where the image looks like the class: similarity to the class's prototypes.

A cell belongs to the object if its cosine similarity to some prototype is at most `spread` standard
deviations below what that prototype showed on its own training samples (a_mu, a_sigma of methods 1.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap, Prototypes

MIN_STD = 0.02  # a prototype of one or two samples has no spread of its own
CHUNK = 256  # prototypes at a time: 3600 cells x 1000 prototypes need not be in memory at once
DEFAULT_SPREAD = 1.0
DEFAULT_KEEP = 0.25


@dataclass(frozen=True)
class Config:
    spread: float = DEFAULT_SPREAD  # accepted standard deviations below the training similarity
    keep: float = DEFAULT_KEEP  # components smaller than this share of the largest are dropped


@dataclass(frozen=True)
class AttentionMasks:
    """Needs the prototypes of a class; says nothing while the class is being built."""

    config: Config

    def mask(
        self, sample: AnnotatedImage, features: FeatureMap, prototypes: Prototypes | None
    ) -> Bool[Tensor, "height width"] | None:
        """None without prototypes, or where nothing in the image looks like the class."""
        if prototypes is None:
            return None
        mask = attention_mask(features, prototypes, self.config)
        return mask if mask.any() else None


def build(config: Config) -> AttentionMasks:
    """Masks from features alone."""
    return AttentionMasks(config)


def attention_mask(
    features: FeatureMap,
    prototypes: Prototypes,
    config: Config = Config(),
) -> Bool[Tensor, "height width"]:
    """Mask at image size from the similarity to the prototypes. Empty where nothing is similar."""
    margin = similarity_margin(features, prototypes, config.spread)
    kept = _large_components(margin > 0, config.keep)
    # Equal bounds on both sides put the upsampled outline between object and background cells, not
    # inside the object, however far below its threshold the background is.
    margin = torch.where(kept, margin, -margin.abs()).clamp(-1, 1)
    upsampled = torch.nn.functional.interpolate(
        margin[None, None], size=features.image_size, mode="bilinear", align_corners=False
    )[0, 0]
    filled = ndimage.binary_fill_holes((upsampled > 0).cpu().numpy())
    return torch.from_numpy(filled).to(features.values.device)


def similarity_margin(
    features: FeatureMap, prototypes: Prototypes, spread: float
) -> Float[Tensor, "height width"]:
    """Largest margin over the prototypes: 0 at the accepted similarity, 1 at the training mean."""
    h, w, channels = features.values.shape
    cells = features.values.reshape(-1, channels)
    tolerance = spread * prototypes.similarity_std.clamp_min(MIN_STD)
    best = cells.new_full((h * w,), -torch.inf)
    for vectors, mean, scale in zip(
        prototypes.features.split(CHUNK),
        prototypes.similarity_mean.split(CHUNK),
        tolerance.split(CHUNK),
        strict=True,
    ):
        best = torch.maximum(best, ((cells @ vectors.T - mean) / scale + 1).amax(-1))
    return best.reshape(h, w)


def _large_components(cells: Bool[Tensor, "height width"], keep: float) -> Bool[Tensor, "height width"]:
    labels, count = ndimage.label(cells.cpu().numpy())
    if count == 0:
        return torch.zeros_like(cells)
    sizes = ndimage.sum_labels(labels > 0, labels, range(1, count + 1))
    large = [i + 1 for i, size in enumerate(sizes) if size >= keep * max(sizes)]
    return torch.isin(torch.from_numpy(labels), torch.tensor(large)).to(cells.device)
