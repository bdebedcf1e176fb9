"""Lambert and Blinn-Phong light from a few distant lamps, with hard shadows of the first one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Lighting:
    """Distant lamps plus light from everywhere."""

    directions: Float[np.ndarray, "lamp 3"]  # unit vectors towards the lamps, object frame
    colors: Float[np.ndarray, "lamp 3"]  # RGB intensity
    ambient: Float[np.ndarray, "3"]
    shadows: bool  # of the first lamp


def sample_lighting(rng: np.random.Generator) -> Lighting:
    """Draw one to three lamps, mostly from above."""
    count = int(rng.integers(1, 4))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    elevation = rng.uniform(0.15, 1.45, count)
    directions = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 1
    )
    share = rng.dirichlet(np.ones(count) * 2)[:, None] * rng.uniform(0.6, 1.1)
    tint = 1 + rng.uniform(-0.12, 0.12, (count, 3))
    ambient = rng.uniform(0.35, 0.65) * (1 + rng.uniform(-0.06, 0.06, 3))
    return Lighting(
        directions.astype(np.float32),
        (share * tint).astype(np.float32),
        ambient.astype(np.float32),
        bool(rng.random() < 0.7),
    )


def shade(
    lighting: Lighting,
    albedo: Float[np.ndarray, "point 3"],
    normals: Float[np.ndarray, "point 3"],
    view: Float[np.ndarray, "point 3"],
    gloss: Float[np.ndarray, "point"],
    shadow: Bool[np.ndarray, "point"],
) -> Float[np.ndarray, "point 3"]:
    """Compute reflected RGB, not clipped. Normals and view directions are unit vectors; `view` points from
    the camera to the surface, normals face the camera."""
    diffuse = np.broadcast_to(lighting.ambient, albedo.shape).copy()
    highlight = np.zeros(len(albedo), np.float32)
    for lamp, (direction, color) in enumerate(zip(lighting.directions, lighting.colors, strict=True)):
        lit = np.maximum(normals @ direction, 0)
        half = direction - view
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
        glint = np.maximum(np.einsum("nx,nx->n", normals, half), 0) ** 32 * (lit > 0)
        if lamp == 0 and lighting.shadows:
            lit, glint = np.where(shadow, 0, lit), np.where(shadow, 0, glint)
        diffuse += lit[:, None] * color
        highlight += glint * float(color.mean())
    return albedo * diffuse + (gloss * highlight)[:, None]
