"""An adapter of `train_adapter`: its network, what it takes of a feature map, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.features._aggregation import GROUPS, AggregationNetwork, network_of
from semcorr_ros.storage import read_tensors, write_tensors

SCHEMA = "semcorr.adapter/1"
PUBLISHED = 768  # width of GeoAware-SC and DIY-SC
# What a backbone joins of several networks or layers: each gets a block of its own.
JOINED = {"sd_dino": (640, 1280, 1280, 768)}


@dataclass(frozen=True)
class HeadConfig:
    """Sizes of the network."""

    sources: tuple[int, ...]  # channels of the maps that are joined; their sum is the backbone's
    width: int
    narrow: int  # within a block

    def __post_init__(self) -> None:
        if not self.sources or min(self.sources) < 1:
            raise ValueError(f"sources must be numbers of channels, got {self.sources}")
        for name in ("width", "narrow"):
            if getattr(self, name) < GROUPS or getattr(self, name) % GROUPS:
                raise ValueError(f"{name} must be a multiple of {GROUPS}, got {getattr(self, name)}")


@dataclass(frozen=True)
class Adapter:
    """A trained network and what it was trained on."""

    network: AggregationNetwork
    backbone: str  # FeatureMap.backbone of the features below
    provenance: dict[str, str] = field(default_factory=dict)


def head_for(backbone: str, channels: int, sources: Sequence[int] = (), width: int = 0) -> HeadConfig:
    """Choose sizes: the published ones for features as wide as theirs. Raises ValueError for sources that
    are not the backbone's channels."""
    known = JOINED.get(backbone.partition(":")[0], ())
    joined = tuple(sources) or (known if sum(known) == channels else (channels,))
    if sum(joined) != channels:
        raise ValueError(
            f"--sources {' '.join(map(str, joined))} are not the {channels} channels of {backbone}"
        )
    width = width or (PUBLISHED if channels >= PUBLISHED else PUBLISHED // 2 if channels >= 256 else 256)
    return HeadConfig(joined, width, max(GROUPS, width // 4 // GROUPS * GROUPS))


def split(
    values: Float[Tensor, "h w channel"], channels: Sequence[int]
) -> list[Float[Tensor, "1 channel h w"]]:
    """Split unit features into the maps that were joined, each of length sqrt(channels) per cell: numbers
    are then about 1, as those of the networks below. Raises ValueError for other channels."""
    if values.shape[-1] != sum(channels):
        raise ValueError(f"the adapter takes {sum(channels)} channels, got {values.shape[-1]}")
    parts = values.permute(2, 0, 1)[None].split(list(channels), dim=1)
    return [normalize(part, dim=1) * part.shape[1] ** 0.5 for part in parts]


def adapt(
    network: AggregationNetwork, maps: Sequence[Float[Tensor, "1 channel h w"]]
) -> Float[Tensor, "h w width"]:
    """Describe every cell anew, with unit length."""
    return normalize(network(maps)[0], dim=0).permute(1, 2, 0)


def write_adapter(path: str | Path, adapter: Adapter) -> None:
    """Write an adapter, atomically; parameters have the names of published files."""
    header = {"schema": SCHEMA, "backbone": adapter.backbone, "provenance": adapter.provenance}
    write_tensors(path, adapter.network.state_dict(), header)


def read_adapter(path: str | Path, device: str = "cpu") -> Adapter:
    """Read an adapter. Raises FileNotFoundError, or ValueError for a damaged file or one of another kind."""
    tensors, header = read_tensors(path, device)
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no file of train_adapter, which --backbone adapter needs")
    try:
        provenance = {str(key): str(value) for key, value in header["provenance"].items()}
        return Adapter(network_of(tensors), str(header["backbone"]), provenance)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
