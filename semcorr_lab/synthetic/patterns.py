"""Procedural color tiles: plain, stripes, checker, noise, spots, mosaic, gradient, marble, writing."""

from __future__ import annotations

import colorsys

import numpy as np
from jaxtyping import Float
from scipy import ndimage

TILE = 128  # pixels per side; tiles repeat without a seam

Tile = Float[np.ndarray, "128 128 3"]
Height = Float[np.ndarray, "128 128"]


def random_color(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Draw RGB in [0, 1]: any hue, a third of them nearly gray."""
    saturation = rng.uniform(0.0, 0.15) if rng.random() < 0.35 else rng.uniform(0.2, 0.95)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.12, 0.98)), np.float32)


def noise(rng: np.random.Generator, octaves: int = 4, cells: int = 4) -> Height:
    """Draw seamless fractal noise, stretched to [0, 1]."""
    total = np.zeros((TILE, TILE), np.float32)
    for octave in range(octaves):
        grid = rng.random((cells * 2**octave,) * 2).astype(np.float32)
        total += _enlarge(grid) / 2**octave
    return (total - total.min()) / max(float(np.ptp(total)), 1e-6)


def _enlarge(grid: Float[np.ndarray, "cell cell"]) -> Height:
    at = (np.arange(TILE, dtype=np.float32) + 0.5) / TILE * len(grid) - 0.5
    low = np.floor(at).astype(int)
    t = at - low
    t = (t * t * (3 - 2 * t)).astype(np.float32)
    a, b = low % len(grid), (low + 1) % len(grid)
    rows = grid[a] * (1 - t)[:, None] + grid[b] * t[:, None]
    return rows[:, a] * (1 - t) + rows[:, b] * t


def _ramp() -> tuple[Height, Height]:
    y, x = np.mgrid[:TILE, :TILE].astype(np.float32) / TILE
    return x, y


def plain(rng: np.random.Generator) -> Height:
    """Draw no pattern."""
    return np.full((TILE, TILE), rng.random(), np.float32)


def stripes(rng: np.random.Generator) -> Height:
    """Draw parallel bands of two widths."""
    x, y = _ramp()
    phase = (x * int(rng.integers(2, 9)) + y * int(rng.integers(-2, 3))) % 1.0
    return (phase < rng.uniform(0.2, 0.8)).astype(np.float32)


def checker(rng: np.random.Generator) -> Height:
    """Draw two-colored squares."""
    x, y = _ramp()
    count = 2 * int(rng.integers(1, 5))
    return ((np.floor(x * count) + np.floor(y * count)) % 2).astype(np.float32)


def spots(rng: np.random.Generator) -> Height:
    """Draw discs of random sizes on a plain ground."""
    x, y = _ramp()
    out = np.zeros((TILE, TILE), np.float32)
    for _ in range(int(rng.integers(4, 16))):
        cx, cy, radius = rng.random(), rng.random(), rng.uniform(0.03, 0.14)
        dx, dy = np.abs(x - cx), np.abs(y - cy)
        inside = np.hypot(np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy)) < radius
        out[inside] = rng.uniform(0.4, 1.0)
    return out


def mosaic(rng: np.random.Generator) -> Height:
    """Draw rectangles of random shade."""
    cells = rng.random((int(rng.integers(2, 8)), int(rng.integers(2, 8)))).astype(np.float32)
    rows = np.arange(TILE) * cells.shape[0] // TILE
    columns = np.arange(TILE) * cells.shape[1] // TILE
    return cells[np.ix_(rows, columns)]


def gradient(rng: np.random.Generator) -> Height:
    """Draw a smooth change there and back."""
    x, y = _ramp()
    mixed = x if rng.random() < 0.5 else y
    return np.abs(2 * ((mixed + rng.random()) % 1.0) - 1)


def marble(rng: np.random.Generator) -> Height:
    """Draw bands bent by noise: stone or wood."""
    x, _ = _ramp()
    bent = x * int(rng.integers(1, 6)) + noise(rng) * rng.uniform(0.3, 1.2)
    return 0.5 + 0.5 * np.sin(2 * np.pi * bent).astype(np.float32)


def writing(rng: np.random.Generator) -> Height:
    """Draw rows of short bars, like print on a label or a picture on a screen."""
    out = np.zeros((TILE, TILE), np.float32)
    row = int(rng.integers(4, 12))
    while row < TILE - 12:
        height = int(rng.integers(3, 14))
        column = int(rng.integers(4, 24))
        while column < TILE - 10:
            width = int(rng.integers(2, 18))
            out[row : row + height, column : column + width] = rng.uniform(0.6, 1.0)
            column += width + int(rng.integers(2, 7))
        row += height + int(rng.integers(4, 16))
    return out


KINDS = {f.__name__: f for f in (plain, stripes, checker, spots, mosaic, gradient, marble, writing, noise)}


def bake(rng: np.random.Generator, kind: str, colors: Float[np.ndarray, "color 3"]) -> Tile:
    """Bake the color tile of a pattern: heights 0..1 run through the list of colors, with some grain."""
    height = np.clip(KINDS[kind](rng), 0, 1)
    height = ndimage.gaussian_filter(height, 0.6, mode="wrap")
    at = height * (len(colors) - 1)
    low = np.minimum(at.astype(int), len(colors) - 2)
    t = (at - low)[..., None]
    tile = colors[low] * (1 - t) + colors[low + 1] * t
    grain = 1 + rng.uniform(0.0, 0.25) * (noise(rng, octaves=3, cells=8)[..., None] - 0.5)
    return np.clip(tile * grain, 0, 1).astype(np.float32)
