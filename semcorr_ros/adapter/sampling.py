"""Which pairs, crops and points a step looks at, drawn from (seed, step) alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.adapter.config import Material, TrainConfig
from semcorr_ros.adapter.keypoint_labels import mirror
from semcorr_ros.adapter.labels import Matches
from semcorr_ros.adapter.maps import Picture, read_map
from semcorr_ros.adapter.pair_loss import FEWEST, Pair
from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid


@dataclass(frozen=True)
class Draw:
    """One look at a pair."""

    matches: Matches
    crops: tuple[int, int]
    points: int  # of the pair, at most
    generator: torch.Generator | None = None  # of points, dropout and noise; None: the first points
    weight: float = 1.0
    flipped: bool = False  # both pictures mirrored

    def pair(self, pictures: Sequence[Picture], device: str) -> Pair:
        """Read the maps. Crops that show too few of the points give way to the objects alone.

        Raises ValueError for a damaged file.
        """
        found = self._of_crops(pictures, self.crops)
        if len(found) < FEWEST <= len(self.matches):
            found = self._of_crops(pictures, (0, 0))
        return _on(found, device)

    def _of_crops(self, pictures: Sequence[Picture], crops: tuple[int, int]) -> Pair:
        own, turned = self.matches, self.flipped
        source = read_map(pictures[own.source], crops[0], turned)
        target = read_map(pictures[own.target], crops[1], turned or own.mirrored)
        here, there = own.source_points, own.target_points
        if turned:
            here, there = mirror(here, source.image_size[1]), mirror(there, target.image_size[1])
        shown = (_inside(source, here) & _inside(target, there)).nonzero()[:, 0]
        if self.generator is not None and len(shown) > self.points:
            shown = shown[torch.randperm(len(shown), generator=self.generator)]
        shown = shown[: self.points]
        side = pictures[own.target].side
        return Pair(source, target, here[shown], there[shown], side, dense_only=turned or own.mirrored)


def draw_pairs(material: Material, config: TrainConfig, step: int) -> list[Draw]:
    """Draw the pairs of a step, one category after the other, with their mirrored ones.

    Weights are those of GeoAware-SC: a mean over the terms there are.
    """
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    by_category = material.by_category
    found: list[Draw] = []
    for i in range(config.batch):
        plain, flips = by_category[(step * config.batch + i) % len(by_category)]
        terms = _terms(material.pictures, plain, flips, config, generator)
        total = sum(one.weight for one in terms) * config.batch
        found += [replace(one, weight=one.weight / total) for one in terms]
    return found


def held_out_pair(matches: Matches, points: int) -> Draw:
    """Look at objects alone, the same points every time: spread over all of the pair's."""
    every = max(1, -(-len(matches) // points))
    thinned = replace(
        matches, source_points=matches.source_points[::every], target_points=matches.target_points[::every]
    )
    return Draw(thinned, (0, 0), points)


def _terms(
    pictures: Sequence[Picture],
    plain: Sequence[Matches],
    flips: Sequence[Matches],
    config: TrainConfig,
    generator: torch.Generator,
) -> list[Draw]:
    picked, turned, crop, other, flip = torch.randint(1 << 30, (5,), generator=generator).tolist()
    matches = plain[picked % len(plain)]
    if turned % 2:
        matches = Matches(matches.target, matches.source, matches.target_points, matches.source_points)
    crops = crop % pictures[matches.source].crops, other % pictures[matches.target].crops
    found = [Draw(matches, crops, config.points, generator)]
    if config.double_flip > 0 and all(pictures[i].mirrors for i in (matches.source, matches.target)):
        found.append(replace(found[0], weight=config.double_flip, flipped=True))
    own = [one for one in flips if pictures[one.source].mirrors]
    if config.self_flip > 0 and own:
        one = own[flip % len(own)]
        crops = crop % pictures[one.source].crops, other % pictures[one.source].crops
        found.append(Draw(one, crops, config.points, generator, config.self_flip))
    return found


def _inside(features: FeatureMap, points: Float[Tensor, "match 2"]) -> Bool[Tensor, "match"]:
    x, y, width, height = grid.window(features)
    low, high = points.new_tensor([x, y]), points.new_tensor([x + width - 1, y + height - 1])
    return ((points >= low) & (points <= high)).all(-1)


def _on(pair: Pair, device: str) -> Pair:
    moved = [replace(one, values=one.values.to(device)) for one in (pair.source, pair.target)]
    points = pair.source_points.to(device), pair.target_points.to(device)
    return replace(pair, source=moved[0], target=moved[1], source_points=points[0], target_points=points[1])
