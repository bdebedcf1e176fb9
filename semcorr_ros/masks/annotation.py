"""The data set's own `Segmentation/<category>/<stem>.png`.

SPair-71k's index images hold PASCAL VOC class ids, other objects in the picture included; for a
category outside its 18 every non-zero index is the object.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import MaskPlugin, MaskProvider, Recognizer
from semcorr_ros.registry import NoSettings

VOID = 255  # the unlabelled outline of VOC
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
        try:
            # A palette image must stay indices: OpenCV would give its colours.
            with Image.open(path) as image:
                index = np.array(image if image.mode in ("P", "L", "1", "I;16") else image.convert("L"))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(f"{path} is not a readable image: {error}") from error
        if index.shape != sample.size:
            (h, w), (height, width) = index.shape, sample.size
            raise ValueError(f"{path} is {w}x{h} but its image is {width}x{height}")
        mask = object_pixels(index, sample.category)
        if not mask.any():
            found = ", ".join(map(str, np.unique(index)))
            raise ValueError(f"{path}: no pixel of {sample.category!r}; the image holds {found}")
        return torch.from_numpy(mask)


def build(config: NoSettings) -> AnnotationMasks:
    """Build masks of the data set itself."""
    return AnnotationMasks()


PLUGIN = MaskPlugin(NoSettings, build, needs_files=True)


def object_pixels(index: np.ndarray, category: str) -> np.ndarray:
    """Select the category's VOC class id, or any non-zero index for a category VOC does not have.

    A mask of only 0 and 255 is a plain black-and-white one: there 255 is not void but the object.
    """
    if category in VOC_CLASS_ID:
        return index == VOC_CLASS_ID[category]
    labelled = (index > 0) & (index != VOID)
    return labelled if labelled.any() else index > 0
