"""Is an object's depth measured, or only that of what is around it?"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Of the masks of cups before three depth cameras 0.86-0.98 is measured, and 0.00-0.05 where what is measured
# of the object itself is taken away, as of glass: that is the table.
SHARE = 0.2  # of the mask, relative to the whole image, which sparse depth covers thinly everywhere
FEWEST = 20  # pixels; fewer may be stray


def is_measured(depth: Float[Tensor, "height width"], mask: Bool[Tensor, "height width"]) -> bool:
    """Tell whether depth measures the object under a mask.

    Invalid depth is 0, negative or not finite.
    """
    valid = torch.isfinite(depth) & (depth > 0)
    measured = int((valid & mask).sum())
    return measured >= FEWEST and measured >= SHARE * float(valid.float().mean()) * int(mask.sum())
