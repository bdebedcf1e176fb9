"""What depth measures: of an object, or only of what is around it; and around a pixel."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Of the masks of cups before three depth cameras 0.86-0.98 is measured, and 0.00-0.05 where what is measured
# of the object itself is taken away, as of glass: that is the table.
SHARE = 0.2  # of the mask, relative to the whole image, which sparse depth covers thinly everywhere
FEWEST = 20  # pixels; fewer may be stray
WINDOW_PX = 3  # half width of the window in which a depth is looked for


def is_measured(depth: Float[Tensor, "height width"], mask: Bool[Tensor, "height width"]) -> bool:
    """Tell whether depth measures the object under a mask.

    Invalid depth is 0, negative or not finite.
    """
    valid = torch.isfinite(depth) & (depth > 0)
    measured = int((valid & mask).sum())
    return measured >= FEWEST and measured >= SHARE * float(valid.float().mean()) * int(mask.sum())


def window(
    pixels: Float[Tensor, "point 2"],
    depth: Float[Tensor, "height width"],
    mask: Bool[Tensor, "height width"] | None = None,
    reach: int = WINDOW_PX,
) -> Float[Tensor, "point pixel"]:
    """Gather depths around pixels; NaN where invalid, outside the image or off the mask."""
    h, w = depth.shape
    steps = torch.arange(-reach, reach + 1, device=pixels.device)
    dy, dx = (step.reshape(-1) for step in torch.meshgrid(steps, steps, indexing="ij"))
    x = pixels[:, :1].round().long() + dx
    y = pixels[:, 1:].round().long() + dy
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    values = depth[y.clamp(0, h - 1), x.clamp(0, w - 1)]
    if mask is not None:
        inside = inside & mask[y.clamp(0, h - 1), x.clamp(0, w - 1)]
    return torch.where(inside & torch.isfinite(values) & (values > 0), values, torch.nan)
