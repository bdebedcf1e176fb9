"""Check whether annotations are where they should be: then a keypoint looks alike from image to image.

Geometry cannot tell coordinates of another scale, exchanged x and y or a turned picture from right ones, if
all images have them: the shape is as consistent. What the pictures show there is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Of 0 (guessing) to 1, on training images. Annotations that are right: 0.80 and 0.91 (photographs of cups and
# laptops), 0.44 to 0.79 (four rendered classes, two backbones). Wrong ones, photographs of cups: 0.32 (x and
# y exchanged), 0.23 (percent taken for pixels).
DOUBTFUL = 0.38


@dataclass(frozen=True)
class Recognition:
    """How often a keypoint is the likeliest of its image's to be itself, by the other images' features."""

    share: float
    by_chance: float

    @property
    def skill(self) -> float:
        """Scale the share: 0 is no better than guessing, 1 is always right."""
        return (self.share - self.by_chance) / max(1 - self.by_chance, 1e-6)


def recognition(
    features: Float[Tensor, "view keypoint channel"], flip: tuple[int, ...] | None
) -> Recognition | None:
    """Compare every annotated keypoint with the mean features of all keypoints in the other images.

    Rows of zeros are not annotated. Its mirror partner counts as right: many backbones cannot tell them
    apart. None where nothing can be compared.
    """
    count = features.shape[1]
    partner = torch.arange(count) if flip is None else torch.tensor(flip)
    visible = features.abs().sum(-1) > 0
    total, hits, chances, asked = features.sum(0), 0, 0.0, 0
    for view, here in zip(features, visible, strict=True):
        ids = (here & (visible.sum(0) > 1)).nonzero()[:, 0]
        if len(ids) < 2:
            continue
        others = torch.nn.functional.normalize((total - view)[ids], dim=-1)
        best = ids[(view[ids] @ others.T).argmax(1)]
        hits += int(((best == ids) | (best == partner[ids])).sum())
        answers = 1 + ((partner[ids] != ids) & torch.isin(partner[ids], ids)).sum() / len(ids)
        chances, asked = chances + float(answers), asked + len(ids)
    return Recognition(hits / asked, chances / asked) if asked else None
