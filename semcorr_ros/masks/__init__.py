"""Object masks: one provider per file, found by name.

A file says `PLUGIN = MaskPlugin(Settings, build)`, with a frozen dataclass of settings and
`build(settings) -> MaskProvider`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Built, Observation, Prototypes
from semcorr_ros.registry import Plugin, Registry


class Recognizer(Built, Protocol):
    """What masks need to know of a class."""

    @property
    def prototypes(self) -> Prototypes:
        """Features that the class is recognised by."""
        ...

    def prototypes_at(self, side: float) -> Prototypes:
        """Return the features that objects `side` pixels large are recognised by."""
        ...

    @property
    def diameter(self) -> float:
        """Largest extent in metres; 0 = unknown."""
        ...


class MaskProvider(Protocol):
    """Gives the object mask of an image, at the image's size. Inherit from it for the default."""

    recognises: bool = False  # the mask is where the class is recognised: comparing the two tells nothing

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Segment the object in `seen`; `model` is None while the class is built.

        `seen` has features, depth and camera. It has no mask, or a rough one of the object that is meant,
        where a detector's box or one of several objects is to be outlined. None where this provider has
        nothing to say. Raises ValueError naming a bad file."""
        ...


class MaskNetwork(MaskProvider):
    """One whose results can be kept on disk (_disk_cache.py) and are named in the classes made with it."""

    variant: str  # what changes digits only, such as the precision

    @property
    @abstractmethod
    def model(self) -> str:
        """`<name>:<fingerprint>` of the weights and the settings that change what comes out."""

    @abstractmethod
    def question(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> tuple[str, tuple[Tensor, ...]]:
        """Return all that `mask` depends on besides network and image: a text, and tensors."""


class MaskPlugin(Plugin[MaskProvider]):
    """What a file of this folder calls PLUGIN."""


MASKS = Registry(__name__, MaskPlugin)
