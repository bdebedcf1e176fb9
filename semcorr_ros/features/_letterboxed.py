"""Images on published square canvases, and cells of those as FeatureMaps of the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.features._canvas import lay_out
from semcorr_ros.geometry.letterbox import cut_out, letterboxed

Describe = Callable[[Sequence[ImageRef]], Float[Tensor, "batch h w channel"]]


class LetterboxedExtractor(FeatureExtractor):
    """Encodes images with `describe`, which gives unit-norm cells of their letterboxes, padding included."""

    from_pixels = True

    def __init__(self, backbone: str, variant: str, describe: Describe) -> None:
        self.backbone = backbone
        self.variant = variant
        self._describe = describe

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises ValueError for an image that is not RGB uint8."""
        return self.encode_batch([ref])[0]

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Encode several images together, in their order."""
        if not refs:
            return []
        cells = self._describe(refs)
        return [without_padding(own, ref, self.backbone) for own, ref in zip(cells, refs, strict=True)]


def letterboxes(refs: Sequence[ImageRef], side: int) -> UInt8[Tensor, "batch side side 3"]:
    """Letterbox images on black squares, on the CPU. Raises ValueError for an image that is not RGB uint8."""
    sizes = [(ref.image.shape[0], ref.image.shape[1]) for ref in refs]
    canvases = [lay_out(ref.image, letterboxed(size, side)) for ref, size in zip(refs, sizes, strict=True)]
    return torch.stack(canvases)


def without_padding(cells: Float[Tensor, "h w channel"], ref: ImageRef, backbone: str) -> FeatureMap:
    """Cut the cells that show the image out of a letterbox's; unit vectors."""
    size = ref.image.shape[0], ref.image.shape[1]
    values = normalize(cut_out(cells, letterboxed(size)), dim=-1).contiguous()
    return FeatureMap(values, size, backbone)
