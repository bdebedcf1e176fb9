"""Where a vertex lies in the canonical box, and its wave kernel signature: no network, nothing to fetch.

The wave kernel signature (Aubry et al., ICCVW 2011) says how the surface is formed around a vertex, by the
eigenfunctions of its Laplacian (robust_laplacian; Sharp & Crane 2020). It is the same left and right; the
place in the box is not, once meshes are turned alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import robust_laplacian
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import eigsh

from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.descriptors import Descriptor, unit
from semcorr_ros.mesh_prior.fine_surface import Surface

FLATTEST = 0.1  # of the box's longest half side: a thin side is not blown up
SHIFT = -0.01  # of the eigenvalue search: just below the first, 0
# Halves of a turn over the box's side: the first tells any two places apart, the second near ones better.
WAVES = ((1.0, 1.0), (2.0, 0.5))  # frequency, weight


@dataclass(frozen=True)
class KernelSettings:
    """signature: share of the wave kernel signature in the similarity of two vertices.

    symmetric: the category is a body of revolution; only height and distance from the axis are told.
    """

    signature: float = 0.2
    symmetric: bool = False
    eigenfunctions: int = 40
    energies: int = 24


class KernelDescriptor:
    """Describes by place and signature."""

    def __init__(self, settings: KernelSettings) -> None:
        if not 0 <= settings.signature <= 1:
            raise ValueError(f"signature must be between 0 and 1, got {settings.signature}")
        for name in ("eigenfunctions", "energies"):
            if getattr(settings, name) < 2:
                raise ValueError(f"{name} must be at least 2, got {getattr(settings, name)}")
        self._settings = settings
        self.kind = f"kernel {settings}"

    def __call__(
        self, mesh: PosedMesh, surface: Surface, weights: sparse.csr_matrix
    ) -> Float[np.ndarray, "V channel"]:
        """Describe every vertex."""
        share, place = self._settings.signature, _placed(surface.vertices, self._settings.symmetric)
        if share == 0:
            return place
        signature = wave_kernel_signature(surface, self._settings.eigenfunctions, self._settings.energies)
        return unit(np.concatenate([(1 - share) ** 0.5 * place, share**0.5 * signature], axis=1))


def build(settings: KernelSettings) -> KernelDescriptor:
    """Raises ValueError naming a bad value."""
    return KernelDescriptor(settings)


PLUGIN = Descriptor(KernelSettings, build)


def wave_kernel_signature(
    surface: Surface, eigenfunctions: int, energies: int
) -> Float[np.ndarray, "V energy"]:
    """Compute unit signatures, less their mean over the surface (which all places share)."""
    laplacian, mass = robust_laplacian.mesh_laplacian(surface.vertices, surface.faces)
    count = min(eigenfunctions, len(surface.vertices) - 2)
    start = np.ones(len(surface.vertices))  # not a random one
    values, functions = eigsh(laplacian, count, mass, sigma=SHIFT, v0=start)
    log = np.log(np.maximum(values, 1e-3))
    centers = np.linspace(log.min(), log.max(), energies)
    width = max(7 * (centers[1] - centers[0]), 1e-6)  # sigma as the authors chose it
    kernel = np.exp(-((centers[None] - log[:, None]) ** 2) / (2 * width**2))
    found = functions**2 @ (kernel / kernel.sum(0))
    weight = mass.diagonal() / mass.diagonal().sum()
    middle = weight @ found
    spread = np.sqrt(weight @ (found - middle) ** 2)
    return unit((found - middle) / np.maximum(spread, 1e-12))


def _placed(vertices: Float[np.ndarray, "V 3"], symmetric: bool) -> Float[np.ndarray, "V channel"]:
    """Describe places such that their cosine falls with the distance along each side of the box."""
    low, high = vertices.min(0), vertices.max(0)
    half = np.maximum((high - low) / 2, FLATTEST * (high - low).max() / 2)
    place = (vertices - (low + high) / 2) / half  # -1 to 1
    if symmetric:
        radius = np.hypot(place[:, 0], place[:, 1])
        place = np.stack([2 * radius - 1, place[:, 2]], 1)
    turns = [weight**0.5 * np.exp(0.5j * np.pi * waves * place) for waves, weight in WAVES]
    joined = np.concatenate(turns, axis=1)
    return unit(np.concatenate([joined.real, joined.imag], axis=1))
