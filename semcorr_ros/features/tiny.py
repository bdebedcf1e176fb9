"""The built-in backbone: a small network trained by `train_tiny` on rendered objects.

Its features tell the parts of a surface apart, but not left from right nor one repeated part from
another. The image is stretched to a square, so the 60x60 grid covers all of it without padding.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef
from semcorr_ros.features._tiny_network import STRIDE, TinyNetwork, fold
from semcorr_ros.storage import read_tensors, write_tensors

GRID = 60
WEIGHTS = Path(__file__).with_name("tiny.safetensors")
_MIN_SIDE = 8


@dataclass(frozen=True)
class TinySettings:
    """`weights` is a file written by `train_tiny`; empty means the one that comes with the package."""

    weights: str = ""
    device: str = "cpu"


def build(config: TinySettings) -> TinyExtractor:
    """Load the network. Raises FileNotFoundError or ValueError naming the weights file."""
    path = Path(config.weights) if config.weights else WEIGHTS
    return TinyExtractor(load_network(path).to(config.device), fingerprint(path))


PLUGIN = Backbone(TinySettings, build)


class TinyExtractor(FeatureExtractor):
    """Encodes any RGB image to a 60x60 grid of unit features, on the device of the network."""

    from_pixels = True

    def __init__(self, network: TinyNetwork, fingerprint: str):
        self._network = network.eval()
        self.backbone = f"tiny:{fingerprint}"

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises ValueError for an image under 8 pixels or not RGB uint8."""
        return self.encode_image(ref.image)

    @torch.no_grad()
    def encode_image(self, image: UInt8[Tensor, "height width 3"]) -> FeatureMap:
        """Encode pixels alone: the network needs nothing else. Raises as `encode`."""
        _check(image)
        device = next(self._network.parameters()).device
        raw = self._network(_stretch(image.to(device)))[0]  # (C, 60, 60)
        values = functional.normalize(raw.float(), dim=0).permute(1, 2, 0).contiguous()
        height, width = image.shape[:2]
        return FeatureMap(values=values, image_size=(height, width), backbone=self.backbone)


def fingerprint(path: str | Path) -> str:
    """Return the first 12 hexadecimal digits of a weights file's SHA-256."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def save_network(path: str | Path, network: TinyNetwork, header: dict[str, object]) -> None:
    """Write a trained network: batch norms folded, half precision."""
    state = {key: value.half() for key, value in fold(network).state_dict().items()}
    write_tensors(path, state, {"kind": "tiny", **header})


def load_network(path: str | Path) -> TinyNetwork:
    """Read a network in float32. Raises FileNotFoundError or ValueError with the command that helps."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights {path}; train them with: python -m semcorr_ros train_tiny")
    tensors, header = read_tensors(path)
    if header.get("kind") != "tiny":
        raise ValueError(f"{path} holds {header.get('kind')!r}, not weights of the tiny backbone")
    network = TinyNetwork(folded=True)
    try:
        network.load_state_dict({key: value.float() for key, value in tensors.items()})
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit this version of the tiny backbone: {error}") from error
    return network.eval()


def _stretch(image: UInt8[Tensor, "height width 3"]) -> Tensor:
    pixels = image.permute(2, 0, 1)[None]
    side = (GRID * STRIDE, GRID * STRIDE)
    if pixels.device.type != "cpu":  # the antialiased uint8 kernel exists on the CPU only
        pixels = pixels.float()
    # Antialiased, as in training; OpenCV does not.
    resized = functional.interpolate(pixels, size=side, mode="bilinear", align_corners=False, antialias=True)
    return resized.float() / 255


def _check(image: Tensor) -> None:
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != torch.uint8:
        raise ValueError(f"expected an RGB image uint8 (H, W, 3), got {image.dtype} {tuple(image.shape)}")
    if min(image.shape[:2]) < _MIN_SIDE:
        raise ValueError(
            f"image of {image.shape[1]}x{image.shape[0]} pixels; both sides must be >= {_MIN_SIDE}"
        )
