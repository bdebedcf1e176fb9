"""The object is what stands in front: pixels nearer than a cut-off depth, inside the annotated box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, DepthMap, Observation
from semcorr_ros.masks import MaskPlugin, MaskProvider, Recognizer
from semcorr_ros.masks._otsu import otsu_threshold
from semcorr_ros.masks._pieces import largest


@dataclass(frozen=True)
class DepthCutoffSettings:
    near: float = 0.0  # in the unit of the depth map (metres for a sensor)
    far: float | None = None  # None: Otsu's threshold between the near and the far half of the box


@dataclass(frozen=True)
class DepthCutoffMasks(MaskProvider):
    """Needs the depth of the observation."""

    config: DepthCutoffSettings

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Cut the object out by depth; None without depth or with nothing in the range."""
        if seen.depth is None:
            return None
        mask = depth_cutoff_mask(seen.depth, sample.bbox, self.config.near, self.config.far)
        return mask if mask.any() else None


def build(config: DepthCutoffSettings) -> DepthCutoffMasks:
    """Build masks from depth alone."""
    return DepthCutoffMasks(config)


PLUGIN = MaskPlugin(DepthCutoffSettings, build)


def depth_cutoff_mask(
    depth: DepthMap, box: tuple[float, float, float, float], near: float = 0.0, far: float | None = None
) -> Bool[Tensor, "height width"]:
    """Find the largest connected piece with near < depth < far inside the box (x1, y1, x2, y2 pixels)."""
    inside = torch.zeros_like(depth.values, dtype=torch.bool)
    x1, y1, x2, y2 = box
    inside[max(0, math.floor(y1)) : math.ceil(y2) + 1, max(0, math.floor(x1)) : math.ceil(x2) + 1] = True
    inside &= torch.isfinite(depth.values) & (depth.values > near)
    if not inside.any():
        return inside
    limit = _between_near_and_far(depth.values[inside]) if far is None else far
    return largest(inside & (depth.values < limit))


def _between_near_and_far(depths: Float[Tensor, "pixel"]) -> float:
    """Split depths by Otsu's method, in logarithms: else the relief of what is far would decide."""
    split = otsu_threshold(depths.log())
    return math.inf if split is None else math.exp(split)
