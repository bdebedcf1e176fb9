"""The data set's own `Segmentation/<category>/<stem>.png`.

SPair-71k's index images hold PASCAL VOC class ids, other objects in the picture included; for a
category outside its 18 every non-zero index is the object.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.files.mask import read_labels
from semcorr_ros.masks import MaskPlugin, MaskProvider, Recognizer
from semcorr_ros.registry import NoSettings

VOC_CLASS_ID = {
    "aeroplane": 1,
    "bicycle": 2,
    "bird": 3,
    "boat": 4,
    "bottle": 5,
    "bus": 6,
    "car": 7,
    "cat": 8,
    "chair": 9,
    "cow": 10,
    "dog": 12,
    "horse": 13,
    "motorbike": 14,
    "person": 15,
    "pottedplant": 16,
    "sheep": 17,
    "train": 19,
    "tvmonitor": 20,
}


class AnnotationMasks(MaskProvider):
    """Reads `sample.mask_path`."""

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Read the mask; None where the data set has none. Raises ValueError for a bad or an empty one."""
        path = sample.mask_path
        if path is None:
            return None
        labels, plain = read_labels(path, sample.size, sample.image_path)
        mask = labels > 0 if plain else object_pixels(labels, sample.category)
        if not mask.any():
            found = ", ".join(map(str, np.unique(labels)))
            raise ValueError(f"{path}: no pixel of {sample.category!r}; the image holds {found}")
        return torch.from_numpy(mask)


def build(config: NoSettings) -> AnnotationMasks:
    """Build masks of the data set itself."""
    return AnnotationMasks()


PLUGIN = MaskPlugin(NoSettings, build, needs_files=True)


def object_pixels(labels: np.ndarray, category: str) -> np.ndarray:
    """Select the category's VOC class id, or any label for a category VOC does not have.

    A mask of only 0 and 1 is taken as a plain one: 1 need not be VOC's aeroplane.
    """
    number = VOC_CLASS_ID.get(category)
    if number is None or set(np.unique(labels)) == {0, 1}:
        return labels > 0
    return labels == number
