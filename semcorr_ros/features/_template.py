"""A backbone to copy: `cp _template.py my_network.py`, and `--backbone my_network` exists.

Files whose name begins with an underscore are not offered; there is nothing else to register. This one
works, badly: each cell is described by a thumbnail of its own pixels. What a backbone must provide:

- `PLUGIN`, which says what its settings are, a frozen dataclass whose fields `--weights`, `--precision`,
  `--device` and `--backbone-option` fill, and what builds it;
- `build(config)`, which may be slow; no download, and errors that name the file or value and the fix;
- `encode(ref)`: unit-norm float32 on the device of the network, over the whole image without padding;
- `backbone`, "<name>:<digits>" that change whenever features stop being comparable.

Keep heavy imports in this file: an absent package then only costs this backbone (`EXTRAS` in registry.py
names the extra in the message). test/test_plugins.py checks every file of this folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef
from semcorr_ros.features._canvas import lay_out, normalized
from semcorr_ros.geometry.letterbox import cut_out, letterboxed, unpadded

PATCH = 14  # pixels


@dataclass(frozen=True)
class ThumbnailSettings:
    """One line for each setting that does not explain itself. layout: "letterbox" or "unpadded"."""

    layout: str = "letterbox"
    side: int = 840
    device: str = "cpu"


def build(config: ThumbnailSettings) -> ThumbnailExtractor:
    """Load weights here: `weights.find(name, config.weights)` gives the folder or says how to fetch it.

    Raises ValueError for an unknown layout.
    """
    if config.layout not in ("letterbox", "unpadded"):
        raise ValueError(f"layout must be letterbox or unpadded, got {config.layout!r}")
    return ThumbnailExtractor(config)


PLUGIN = Backbone(ThumbnailSettings, build)


class ThumbnailExtractor(FeatureExtractor):
    """Name it after what it computes."""

    from_pixels = True  # not a file reader: it may be asked for a part of an image, and be cached

    def __init__(self, config: ThumbnailSettings) -> None:
        self._config = config
        # Weights belong in here too, see weights/fingerprint.py; device and precision do not.
        digits = hashlib.sha256(f"{config.layout} {config.side}".encode()).hexdigest()[:12]
        self.backbone = f"thumbnail:{digits}"

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises ValueError for an image that is not RGB uint8."""
        size = ref.image.shape[0], ref.image.shape[1]
        side, padded = self._config.side, self._config.layout == "letterbox"
        place = letterboxed(size, side) if padded else unpadded(size, side, PATCH)
        canvas = lay_out(ref.image, place).to(self._config.device)
        values = cut_out(thumbnails(normalized(canvas[None]))[0], place)
        return FeatureMap(functional.normalize(values, dim=-1), size, self.backbone)


def thumbnails(pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch h w channel"]:
    """Describe a patch by its 2 x 2 colours: put your network here, under torch.inference_mode."""
    colours = functional.avg_pool2d(pixels, PATCH // 2)
    blocks = functional.pixel_unshuffle(colours, 2).permute(0, 2, 3, 1)
    bias = torch.ones_like(blocks[..., :1])  # a gray cell has a direction as well
    return functional.normalize(torch.cat([blocks, bias], -1), dim=-1)
