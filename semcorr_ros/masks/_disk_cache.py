"""Masks that a network has given before, on disk: one for every image and prompt."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.masks import MaskNetwork, Recognizer

Size = tuple[int, int]


class DiskCache(MaskNetwork):
    """A mask network with a memory. The prompt, which a class decides about, is part of the key."""

    def __init__(self, network: MaskNetwork, store: DiskStore) -> None:
        self.variant = network.variant
        self.read = self.computed = 0
        self._network, self._store = network, store

    @property
    def model(self) -> str:
        """That of the network."""
        return self._network.model

    def question(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> tuple[str, tuple[Tensor, ...]]:
        """Return the network's."""
        return self._network.question(sample, seen, model)

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Read the mask, or ask the network and write its answer."""
        text, prompt = self.question(sample, seen, model)
        path = self._store.path(self.model, f"{self.variant}|{text}", seen.image, *prompt)
        size = (seen.image.shape[0], seen.image.shape[1])
        known = self._store.read(path, partial(_restore, size))
        if known is not None:
            self.read += 1
            return known[0]
        fresh = self._network.mask(sample, seen, model)
        bits = np.packbits(np.zeros(0, bool) if fresh is None else fresh.cpu().numpy())
        self._store.write(path, {"mask": torch.from_numpy(bits)}, {"size": size, "found": fresh is not None})
        self.computed += 1
        return fresh


def _restore(
    size: Size, tensors: dict[str, Tensor], header: dict[str, Any]
) -> tuple[Bool[Tensor, "height width"] | None]:
    """Unpack a stored mask into a tuple of one, because None is an answer."""
    if tuple(header["size"]) != size:
        raise ValueError(f"a mask of {header['size']} for an image {size}")
    if not header["found"]:
        return (None,)
    bits = np.unpackbits(tensors["mask"].cpu().numpy())[: size[0] * size[1]]
    return (torch.from_numpy(bits.astype(bool).reshape(size)).to(tensors["mask"].device),)
