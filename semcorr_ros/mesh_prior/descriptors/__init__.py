"""Descriptors of a mesh's surface: one kind per file, found by name.

A file says `PLUGIN = Descriptor(Settings, build)`, with `build(settings) -> Describe`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Float
from scipy import sparse

from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.fine_surface import Surface
from semcorr_ros.registry import Plugin, Registry


class Describe(Protocol):
    """Describes surfaces, such that the same part of two objects of a category is described alike."""

    kind: str  # what files are told apart by: the name and all settings that matter

    def __call__(
        self, mesh: PosedMesh, surface: Surface, weights: sparse.csr_matrix
    ) -> Float[np.ndarray, "V channel"]:
        """Describe every vertex of the surface of a mesh by a vector of unit length, float32.

        surface, weights: of `surface_of`.

        Raises FileNotFoundError or ValueError naming the file or mesh.
        """
        ...


class Descriptor(Plugin[Describe]):
    """What a file of this folder calls PLUGIN."""


DESCRIPTORS = Registry(__name__, Descriptor)


def unit(values: Float[np.ndarray, "V channel"]) -> Float[np.ndarray, "V channel"]:
    """Scale rows to length 1; rows of zeros stay."""
    length = np.linalg.norm(values, axis=1, keepdims=True)
    found: Float[np.ndarray, "V channel"] = (values / np.maximum(length, 1e-12)).astype(np.float32)
    return found
