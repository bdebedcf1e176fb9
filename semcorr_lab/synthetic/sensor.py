"""What a real camera does to the picture: exposure, white balance, blur, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

_MIDDLE_GRAY = 0.42
_GAIN_RANGE = (0.7, 2.2)


@dataclass(frozen=True)
class Sensor:
    """Imperfections of one picture; the defaults are a perfect camera."""

    exposure: float = 1.0  # relative to an automatic one
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    blur_px: float = 0.0  # standard deviation
    noise: float = 0.0  # standard deviation, of a range of 1
    seed: int = 0


def sample_sensor(rng: np.random.Generator, width: int) -> Sensor:
    """Draw imperfections of an image `width` pixels wide."""
    blur = rng.uniform(0.3, 1.4) * width / 640 if rng.random() < 0.5 else 0.0
    return Sensor(
        exposure=float(rng.uniform(0.8, 1.35)),
        white_balance=tuple(1 + rng.uniform(-0.08, 0.08, 3)),
        gamma=float(rng.uniform(0.8, 1.25)),
        blur_px=float(blur),
        noise=float(rng.uniform(0, 0.03)),
        seed=int(rng.integers(2**31)),
    )


def expose(
    sensor: Sensor, radiance: Float[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Expose radiance, 1 = white, to an 8-bit picture."""
    image = radiance.astype(np.float32)
    if sensor.blur_px > 0:
        image = ndimage.gaussian_filter(image, (sensor.blur_px, sensor.blur_px, 0), truncate=3)
    image *= sensor.exposure * _gain(image) * np.array(sensor.white_balance, np.float32)
    np.clip(image, 0, 1, out=image)
    if sensor.gamma != 1.0:
        image **= np.float32(sensor.gamma)
    if sensor.noise > 0:
        generator = np.random.default_rng(sensor.seed)
        image += sensor.noise * generator.standard_normal(image.shape, np.float32)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def _gain(radiance: Float[np.ndarray, "height width 3"]) -> np.float32:
    """Expose automatically: the middle of the picture's range to middle gray, within limits."""
    mean = float(radiance[::4, ::4].mean())
    return np.float32(np.clip(_MIDDLE_GRAY / max(mean, 1e-3), *_GAIN_RANGE))
