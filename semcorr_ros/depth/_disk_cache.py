"""Depth that a network has given before, on disk, exactly as it was."""

from __future__ import annotations

from functools import partial
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, DepthMap
from semcorr_ros.depth import DepthNetwork
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.files.picture import read_image


class DiskCache(DepthNetwork):
    """A depth network with a memory."""

    def __init__(self, network: DepthNetwork, store: DiskStore) -> None:
        self.variant = network.variant
        self.read = self.computed = 0
        self._network, self._store = network, store

    @property
    def model(self) -> str:
        """That of the network."""
        return self._network.model

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Estimate depth as the network does. Raises FileNotFoundError or ValueError naming the image."""
        return self.from_image(read_image(sample.image_path), sample.camera)

    def from_image(self, image: UInt8[Tensor, "height width 3"], camera: Camera | None = None) -> DepthMap:
        """Read the depth, or ask the network and write its answer."""
        focal = () if camera is None else (camera.focal,)
        path = self._store.path(self.model, self.variant, image, *focal)
        found = self._store.read(path, partial(_restore, (image.shape[0], image.shape[1])))
        if found is not None:
            self.read += 1
            return found
        fresh = self._network.from_image(image, camera)
        self._store.write(path, {"depth": fresh.values}, {"metric": fresh.metric, "focal": fresh.focal})
        self.computed += 1
        return fresh


def _restore(size: tuple[int, int], tensors: dict[str, Tensor], header: dict[str, Any]) -> DepthMap:
    values = tensors["depth"]
    if tuple(values.shape) != size:
        raise ValueError(f"depth {tuple(values.shape)} of an image {size}")
    return DepthMap(values, bool(header["metric"]), header["focal"])
