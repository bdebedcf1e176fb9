"""How far a mask that somebody else made agrees with where the class is recognised."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import Observation
from semcorr_ros.geometry.grid import window
from semcorr_ros.masks import Recognizer
from semcorr_ros.masks._pieces import label
from semcorr_ros.masks.attention import attention_mask

# Share of the recognised object inside the mask from which it is trusted, and below which it is not. Training
# photographs of laptops and cups: 0.83 and 0.74 (median) for whole masks, 0.42 and 0.40 for halves.
TRUSTED, DOUBTED = 0.7, 0.4
LEAST = 0.2  # trust that is left: features may be wrong, too


@torch.no_grad()
def trust(model: Recognizer, seen: Observation) -> float:
    """Rate a given mask, from LEAST to 1, by how much of the attention around it lies inside.

    A mask of a part of the object cuts attention off; one of something else has it outside. 1 where nothing
    is recognised: then what the mask shows will not resemble the class.
    """
    if seen.mask is None:
        return 1.0
    found = _around(attention_mask(seen.features, model.prototypes), seen)
    if not found.any():
        return 1.0
    touching = _touching(found, seen.mask)
    inside = float((touching & seen.mask).sum() / touching.sum()) if touching.any() else 0.0
    share = (inside - DOUBTED) / (TRUSTED - DOUBTED)
    return LEAST + (1 - LEAST) * min(max(share, 0.0), 1.0)


def _around(found: Bool[Tensor, "height width"], seen: Observation) -> Bool[Tensor, "height width"]:
    """Clip to the window that the features cover: beyond, border cells are only repeated."""
    x, y, width, height = window(seen.features)
    inside = torch.zeros_like(found)
    inside[y : y + height, x : x + width] = True
    return found & inside


def _touching(
    found: Bool[Tensor, "height width"], mask: Bool[Tensor, "height width"]
) -> Bool[Tensor, "height width"]:
    """Keep the pieces that overlap the mask: another object of the class beside it does not count."""
    labels, _ = label(found.cpu().numpy())
    named = np.unique(labels[(found & mask).cpu().numpy()])
    return torch.from_numpy(np.isin(labels, named)).to(found.device)
