"""Orient Anything V2, where it is installed: a checkout of its repository and its weights.

https://github.com/SpatialVision/Orient-Anything-V2, CC BY 4.0. No package: `--azimuth-option folder=DIR`
names the checkout, and `weights=FILE` a checkpoint such as `Viglong/OriAnyV2_ckpt`
`demo_ckpts/rotmod_realrotaug_best.pt` (5 GB). Its azimuth is ours: Rx(rot) Ry(el) Rz(-az) turns the object
before a camera that looks at its front.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr_ros.mesh_prior.azimuth import Azimuth
from semcorr_ros.mesh_prior.reconstruction import fingerprint
from semcorr_ros.mesh_prior.views import MeshView
from semcorr_ros.registry import Plugin

SIDE = 518  # pixels, a multiple of its patches of 14
AZIMUTHS, OUTPUTS = 360, 900  # logits: azimuth 360, elevation 180, rotation 360, one degree each
FLAT = 1.15  # highest over mean probability: below it all directions are as likely
INSTALL = (
    "clone https://github.com/SpatialVision/Orient-Anything-V2, install its requirements, and give "
    "--azimuth-option folder=DIR --azimuth-option weights=FILE"
)

Network = Callable[[Float[Tensor, "1 1 3 side side"]], Float[Tensor, "1 900"]]


@dataclass(frozen=True)
class OrientAnythingSettings:
    """Which installation."""

    folder: Path | None = None
    weights: Path | None = None
    device: str = "cpu"


class OrientAnything:
    """Runs it."""

    side = SIDE

    def __init__(self, settings: OrientAnythingSettings, network: Network | None = None) -> None:
        self._device = settings.device
        self._network, self.identity = (network, "given") if network else _load(settings)

    def of_category(self, category: Sequence[Sequence[MeshView]]) -> Azimuth:
        """Return the estimator: it knows every category."""
        return self._azimuth

    def _azimuth(self, view: MeshView) -> tuple[float, float]:
        logits = self._network(as_input(view.image).to(self._device)).float().cpu().flatten()
        found = azimuth_of(logits)
        return (0.0, 0.0) if math.isnan(found) else (found, 1.0)


PLUGIN: Plugin[OrientAnything] = Plugin(OrientAnythingSettings, OrientAnything)


def as_input(image: UInt8[Tensor, "h w 3"]) -> Float[Tensor, "1 1 3 h w"]:
    """Bring a view to its input: RGB in [0, 1] on white, a batch of one reference."""
    if image.shape[:2] != (SIDE, SIDE):
        raise ValueError(f"Orient Anything looks at {SIDE} pixels, got {tuple(image.shape)}")
    return image.permute(2, 0, 1)[None, None].float() / 255


def azimuth_of(logits: Float[Tensor, "n"]) -> float:
    """Return the likeliest azimuth in degrees, NaN where no direction stands out (a body of revolution).

    Raises ValueError for an output of another size.
    """
    if logits.shape != (OUTPUTS,):
        raise ValueError(f"Orient Anything V2 has {OUTPUTS} outputs, got {tuple(logits.shape)}")
    likely = logits[:AZIMUTHS].sigmoid()
    if not bool(torch.isfinite(likely).all()) or float(likely.max()) < FLAT * float(likely.mean()):
        return math.nan
    return float(likely.argmax())


def _load(settings: OrientAnythingSettings) -> tuple[Network, str]:
    """Raises ImportError or FileNotFoundError saying how to install it."""
    if settings.folder is None or settings.weights is None:
        raise ImportError(f"--azimuth orient_anything needs Orient Anything V2: {INSTALL}")
    if not (settings.folder / "vision_tower.py").is_file():
        raise FileNotFoundError(f"no file {settings.folder / 'vision_tower.py'}: {INSTALL}")
    print_of_weights = fingerprint(settings.weights)
    sys.path[:0] = [str(settings.folder), str(settings.folder / "utils")]
    try:
        tower: Any = importlib.import_module("vision_tower")
    except ImportError as error:
        raise ImportError(f"Orient Anything in {settings.folder} lacks {error.name}: {INSTALL}") from error
    finally:
        del sys.path[:2]
    network = tower.VGGT_OriAny_Ref(out_dim=OUTPUTS, dtype=torch.bfloat16, nopretrain=True)
    network.load_state_dict(torch.load(settings.weights, map_location="cpu", weights_only=True))
    return network.eval().to(settings.device), f"orient_anything {print_of_weights}"
