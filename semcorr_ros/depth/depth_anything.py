"""Depth Anything V2 (Yang et al., NeurIPS 2024) from one image: relative disparity, or metres.

Relative, large, decoded as by the authors' release is what SemAlign3D was published with. The metric
models are fine-tuned for rooms (up to 20 m) or streets (up to 80 m).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from semcorr_ros import weights
from semcorr_ros.artifacts import AnnotatedImage, Camera, DepthMap
from semcorr_ros.depth import DepthNetwork, DepthPlugin
from semcorr_ros.depth._disparity import DECODINGS, DisparityMap
from semcorr_ros.files.picture import read_image
from semcorr_ros.weights import networks
from semcorr_ros.weights.fingerprint import named

SIZES = ("small", "base", "large")
MODELS = ("relative", "metric-indoor", "metric-outdoor")
CLASSES = {"depth_anything": "DepthAnythingForDepthEstimation"}


@dataclass(frozen=True)
class DepthAnythingSettings:
    """`weights` is a model folder, which then decides about size and model; empty: looked up by those.

    decode: how relative disparity becomes depth, "release" (1 - 0.3 d / max), "inverse" (1 / d) or "shifted"
    (1 / (d + max / 2)).
    side: shorter side of the network's input, pixels; the published one is 518.
    """

    size: str = "large"
    model: str = "relative"
    weights: str = ""
    decode: str = "release"
    side: int = 518
    precision: str = "fp32"
    device: str = "cpu"


class DepthAnything(DepthNetwork):
    """`estimate` says what the network said, `depth` decodes it."""

    def __init__(self, network: Any, config: DepthAnythingSettings, folder: Path) -> None:
        self._network = network
        self._config = config
        self._folder = folder
        self.variant = config.precision
        self.metric = network.config.depth_estimation_type == "metric"

    @cached_property
    def model(self) -> str:
        """Which weights, and how they are used."""
        settings = {"decode": self._config.decode, "side": self._config.side}
        return named("depth_anything", self._folder, settings)

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Estimate depth (metres if metric). Raises FileNotFoundError or ValueError naming the image."""
        return self.from_image(read_image(sample.image_path), sample.camera)

    def from_image(self, image: UInt8[Tensor, "height width 3"], camera: Camera | None = None) -> DepthMap:
        """Estimate as `depth`, from pixels; this network does not use the camera."""
        found = self.estimate(image)
        return found if isinstance(found, DepthMap) else DECODINGS[self._config.decode](found)

    def estimate(self, image: UInt8[Tensor, "height width 3"]) -> DepthMap | DisparityMap:
        """Estimate depth or disparity, at image size, on the network's device."""
        size = image.shape[0], image.shape[1]
        patch = int(self._network.config.patch_size)
        pixels = networks.resized(image, input_size(size, self._config.side, patch), Image.Resampling.BICUBIC)
        batch = networks.normalized(pixels, networks.IMAGENET_MEAN, networks.IMAGENET_STD)
        with networks.autocast(self._config.device, self._config.precision):
            raw = self._network(batch.to(self._config.device)).predicted_depth.float()
            values = interpolate(raw[None], size, mode="bicubic", align_corners=False)[0, 0]
        # Bicubic interpolation undershoots next to an edge.
        values = values.clamp(raw.amin(), raw.amax())
        return DepthMap(values, metric=True) if self.metric else DisparityMap(values)


def input_size(size: tuple[int, int], side: int, patch: int) -> tuple[int, int]:
    """Compute (h, w) of the network's input: whole patches, the image's aspect.

    As in the hub's processor: of the scales that make the height or the width `side`, the one nearer to 1.
    """
    scale = min((side / length for length in size), key=lambda factor: abs(1 - factor))
    height, width = (max(patch, round(scale * length / patch) * patch) for length in size)
    return height, width


def build(config: DepthAnythingSettings) -> DepthAnything:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    for name, choices in (("size", SIZES), ("model", MODELS), ("decode", DECODINGS)):
        networks.check_choice(name, getattr(config, name), choices)
    networks.check_choice("precision", config.precision, networks.PRECISIONS)
    model = "" if config.model == "relative" else f"{config.model}-"
    folder = weights.find(f"depth-anything-v2-{model}{config.size}", config.weights)
    network = networks.load_network(folder, CLASSES, config.device)
    patch = int(network.config.patch_size)
    if config.side < patch or config.side % patch:
        raise ValueError(f"side must be a multiple of the patch size {patch}, got {config.side}")
    return DepthAnything(network, config, folder)


PLUGIN = DepthPlugin(DepthAnythingSettings, build)
