"""Object masks: one provider per file, found by name.

A provider file defines a frozen `Config` and `build(config) -> MaskProvider`; and `NEEDS_FILES = True` if it
reads what a data set has beside the image, so that it is of no use to a camera.
"""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


class MaskProvider(Protocol):
    """Gives the object mask of an image, at the image's size.

    Optional attribute `recognises` True: the mask is where the class is recognised, so that comparing the two
    would tell nothing.
    """

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: ClassRepresentation | None
    ) -> Bool[Tensor, "height width"] | None:
        """`seen` has features, depth and camera; `model` is None while the class is built.

        `seen` has no mask yet, or the rough one of the object that is meant, where a detector's box or one of
        several objects is to be outlined. None where this provider has nothing to say. Raises ValueError
        naming a bad file."""
        ...


class MaskNetwork(MaskProvider, Protocol):
    """One whose results can be kept on disk (_disk_cache.py) and are named in the classes made with it."""

    @property
    def model(self) -> str:
        """`<name>:<fingerprint>` of the weights and the settings that change what comes out."""
        ...

    @property
    def variant(self) -> str:
        """What changes digits only, such as the precision."""
        ...

    def question(
        self, sample: AnnotatedImage, seen: Observation, model: ClassRepresentation | None
    ) -> tuple[str, tuple[Tensor, ...]]:
        """All that `mask` depends on besides model and image: a text, and tensors."""
        ...
