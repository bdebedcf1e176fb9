"""Depth providers: one per file, found by name.

A file says `PLUGIN = DepthPlugin(Settings, build)`, with a frozen dataclass of settings and
`build(settings) -> DepthProvider`. One without `needs_files` builds an `ImageDepth`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, CategoryInfo, DepthMap
from semcorr_ros.registry import Plugin, Registry


class DepthProvider(Protocol):
    """Gives the depth of a dataset image, resampled to the image's size."""

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Raises FileNotFoundError or ValueError naming the file and what is wrong with it."""
        ...


@dataclass(frozen=True)
class Prepared:
    """What a provider found out about all images of a category together."""

    depth: DepthProvider
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)  # for the report, JSON-ready


@runtime_checkable
class JointDepth(DepthProvider, Protocol):
    """One that must see all images of a category before it can tell about any."""

    def prepare(
        self, images: Sequence[AnnotatedImage], info: CategoryInfo, generator: torch.Generator
    ) -> Prepared:
        """Raises ValueError saying what is missing. The same generator state gives the same depth."""
        ...


@runtime_checkable
class ImageDepth(DepthProvider, Protocol):
    """One that needs nothing but pixels: one for cameras that measure no depth."""

    def from_image(self, image: UInt8[Tensor, "height width 3"], camera: Camera | None = None) -> DepthMap:
        """Estimate depth at image size; the camera helps where it is known."""
        ...


class DepthNetwork(ImageDepth):
    """One whose results can be kept on disk (_disk_cache.py) and are named in the classes made with it."""

    variant: str  # what changes digits only, such as the precision

    @property
    @abstractmethod
    def model(self) -> str:
        """`<name>:<fingerprint>` of the weights and the settings that change what comes out."""


class DepthPlugin(Plugin[DepthProvider]):
    """What a file of this folder calls PLUGIN."""


DEPTH = Registry(__name__, DepthPlugin)
