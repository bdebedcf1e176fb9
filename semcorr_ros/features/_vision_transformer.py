"""Patch tokens of a vision transformer as a FeatureMap; what `dinov2` and `dinov3` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.features._canvas import lay_out, normalized
from semcorr_ros.geometry.letterbox import Placement, cut_out, letterboxed, unpadded
from semcorr_ros.weights.networks import check_choice

LAYOUTS = ("letterbox", "unpadded")


class TokenExtractor(FeatureExtractor):
    """Encodes any RGB image with a transformer whose `last_hidden_state` ends with one token per patch.

    `place` lays images out on canvases of whole patches. The network keeps its device and precision.
    """

    from_pixels = True

    def __init__(
        self, network: nn.Module, backbone: str, place: Callable[[tuple[int, int]], Placement]
    ) -> None:
        self.backbone = backbone
        self.place = place
        self.network = network
        self._weights = next(network.parameters())
        self.variant = str(self._weights.dtype).removeprefix("torch.")

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image, float32. Raises ValueError for an image that is not RGB uint8."""
        return self.encode_batch([ref])[0]

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Encode several images, in their order, one pass per canvas size."""
        sizes = [(ref.image.shape[0], ref.image.shape[1]) for ref in refs]
        places = [self.place(size) for size in sizes]
        maps: dict[int, FeatureMap] = {}
        for canvas in dict.fromkeys(place.canvas for place in places):
            chosen = [i for i, place in enumerate(places) if place.canvas == canvas]
            raw = patch_tokens(self.network, torch.stack([lay_out(refs[i].image, places[i]) for i in chosen]))
            # Normalized before any interpolation: a few of DINOv2's tokens are many times longer than their
            # neighbours and would dominate them.
            tokens, lengths = functional.normalize(raw, dim=-1), raw.norm(dim=-1, keepdim=True)
            for row, i in enumerate(chosen):
                shown = functional.normalize(cut_out(tokens[row], places[i]), dim=-1).contiguous()
                long = cut_out(lengths[row], places[i])[..., 0]
                maps[i] = FeatureMap(shown, sizes[i], self.backbone, lengths=long)
        return [maps[i] for i in range(len(refs))]


@torch.inference_mode()
def patch_tokens(
    network: nn.Module, canvases: UInt8[Tensor, "batch height width 3"]
) -> Float[Tensor, "batch h w channel"]:
    """Compute the network's output tokens, float32 on its device, not normalized."""
    patch, weights = patch_size(network), next(network.parameters())
    h, w = canvases.shape[1] // patch, canvases.shape[2] // patch
    pixels = normalized(canvases.to(weights.device)).to(weights.dtype)
    patches = network(pixels).last_hidden_state[:, -h * w :]  # behind class and register tokens
    return patches.float().unflatten(1, (h, w))


def placer(layout: str, side: int, patch: int) -> Callable[[tuple[int, int]], Placement]:
    """Choose how images are placed. Raises ValueError for an unknown layout or a side of broken patches."""
    check_choice("layout", layout, LAYOUTS)
    if side < patch or side % patch:
        raise ValueError(f"side must be a multiple of the patch size {patch}, got {side}")
    if layout == "letterbox":
        return lambda size: letterboxed(size, side)
    return lambda size: unpadded(size, side, patch)


def patch_size(network: Any) -> int:
    """Return the side of a patch in pixels."""
    size = network.config.patch_size
    return int(size) if isinstance(size, int) else int(size[0])
