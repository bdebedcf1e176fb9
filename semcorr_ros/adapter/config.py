"""How an adapter is trained, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from semcorr_ros.adapter.labels import Matches
from semcorr_ros.adapter.maps import Picture

SELECTIONS = ("pck", "loss")


@dataclass(frozen=True)
class TrainConfig:
    """Schedule and losses. Defaults are DIY-SC's, but for the number of steps."""

    steps: int = 3000
    batch: int = 1  # pairs per step
    lr: float = 5e-3  # at the top of the cycle; GeoAware-SC with keypoints: 1.25e-3
    weight_decay: float = 1e-3
    rising: float = 0.3  # share of the steps
    dropout: float = 0.2  # of single features of the maps
    points: int = 50  # of a pair
    temperature: float = 0.02  # of the soft-argmax
    noise: float = 0.1  # spread of the wanted place: half of this share of the object's size
    double_flip: float = 0.0  # weight of the pair with both pictures mirrored; GeoAware-SC: 1
    self_flip: float = 0.0  # weight of a picture and its mirror image; GeoAware-SC: 0.25
    select: str = "pck"  # or "loss", as DIY-SC
    seed: int = 0
    check_every: int = 200  # steps between two looks at what is held out
    save_every: int = 100

    def __post_init__(self) -> None:
        if self.select not in SELECTIONS:
            raise ValueError(f"select must be one of {', '.join(SELECTIONS)}, got {self.select!r}")
        for name in ("steps", "batch", "points", "check_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Material:
    """What is trained on. Matches name pictures by row."""

    pictures: Sequence[Picture]
    matches: Sequence[Matches]
    held_out: Sequence[Matches]  # nothing is learned from these

    def __post_init__(self) -> None:
        if not all(len(one) for one in (*self.matches, *self.held_out)):
            raise ValueError("a pair without a match has nothing to teach")

    @cached_property
    def by_category(self) -> list[tuple[list[Matches], list[Matches]]]:
        """Pairs, and pictures with their own mirror images, of each category that has pairs."""
        found: dict[str, tuple[list[Matches], list[Matches]]] = {}
        for one in self.matches:
            category = self.pictures[one.source].sample.category
            found.setdefault(category, ([], []))[int(one.mirrored)].append(one)
        return [found[name] for name in sorted(found) if found[name][0]]
