"""Depth Pro (Bochkovskii et al., ICLR 2025) from one image: sharp outlines, metres, and the focal length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from semcorr_ros import weights
from semcorr_ros.artifacts import AnnotatedImage, Camera, DepthMap
from semcorr_ros.depth import DepthNetwork, DepthPlugin
from semcorr_ros.files.picture import read_image
from semcorr_ros.weights import networks
from semcorr_ros.weights.fingerprint import named

CLASSES = {"depth_pro": "DepthProForDepthEstimation"}
SIDE = 1536  # pixels; every image is stretched to this square
NEAREST, FARTHEST = 1e-4, 1e4  # metres
VIEW_RANGE = (1.0, 170.0)  # degrees; outside, the network has failed: the focal length would be useless


@dataclass(frozen=True)
class DepthProSettings:
    """`weights` is a model folder; empty: looked up.

    focal: take the focal length of a camera that is not known from the network, and say so in the DepthMap.
    """

    weights: str = ""
    focal: bool = True
    side: int = SIDE
    precision: str = "fp32"
    device: str = "cpu"


class DepthPro(DepthNetwork):
    """A known camera decides about the scale; else the network's own idea of the field of view does."""

    def __init__(self, network: Any, config: DepthProSettings, folder: Path) -> None:
        self._network = network
        self._config = config
        self._folder = folder
        self.variant = config.precision

    @cached_property
    def model(self) -> str:
        """Which weights, and how they are used."""
        return named("depth_pro", self._folder, {"focal": self._config.focal, "side": self._config.side})

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Estimate depth in metres. Raises FileNotFoundError or ValueError naming the image."""
        return self.from_image(read_image(sample.image_path), sample.camera)

    def from_image(self, image: UInt8[Tensor, "height width 3"], camera: Camera | None = None) -> DepthMap:
        """Estimate depth in metres, at image size, on the network's device."""
        height, width = image.shape[0], image.shape[1]
        batch = stretched(image, self._config.side)
        with networks.autocast(self._config.device, self._config.precision):
            found = self._network(batch.to(self._config.device))
            canonical = found.predicted_depth.float()[None]
            focal = _focal(found.field_of_view, width) if camera is None else camera.focal[0].to(canonical)
            # Canonical inverse depth is that of a focal length of one image width.
            inverse = canonical * (width / focal)
            inverse = interpolate(inverse, (height, width), mode="bilinear", align_corners=False)
        values = 1 / inverse[0, 0].clamp(1 / FARTHEST, 1 / NEAREST)
        estimated = float(focal) if camera is None and self._config.focal else None
        return DepthMap(values, metric=True, focal=estimated)


def stretched(image: UInt8[Tensor, "height width 3"], side: int) -> Float[Tensor, "1 3 side side"]:
    """Scale to [-1, 1], then resize bilinearly without antialiasing, as in training."""
    values = networks.normalized(image, networks.HALF, networks.HALF)
    return interpolate(values, (side, side), mode="bilinear", align_corners=False)


def _focal(field_of_view: Tensor, width: int) -> Tensor:
    """Convert the horizontal field of view (degrees) to a focal length in pixels."""
    degrees = field_of_view.float().flatten()[0].clamp(*VIEW_RANGE)
    return 0.5 * width / torch.tan(0.5 * torch.deg2rad(degrees))


def build(config: DepthProSettings) -> DepthPro:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    networks.check_choice("precision", config.precision, networks.PRECISIONS)
    folder = weights.find("depth-pro", config.weights)
    network = networks.load_network(folder, CLASSES, config.device)
    if not network.use_fov_model:
        raise ValueError(f"{folder} has no field-of-view network: without it depth has no scale")
    return DepthPro(network, config, folder)


PLUGIN = DepthPlugin(DepthProSettings, build)
