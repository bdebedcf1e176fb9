"""What a trained mapper says of its pictures: keypoints on the sphere, and what a class looks like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from semcorr_ros.artifacts import CategoryInfo, FeatureMap, Prototypes
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere
from semcorr_ros.geometry import grid
from semcorr_ros.geometry.rotations import golden_spiral
from semcorr_ros.methods.spherical.artifacts import Category, Keypoints
from semcorr_ros.methods.spherical.config import MatchConfig
from semcorr_ros.methods.spherical.matching import Mapping, Query, similarity
from semcorr_ros.methods.spherical.training.views import Picture, read_object

PLACES = 128  # of the sphere, for recognition
FEWEST = 4  # patches of a place
OTHERS = 12  # pictures of other categories that must not show keypoints
STEPS = 50  # of the fit of two numbers
UNSURE_SPREADS = 2.5  # below the usual similarity, where nothing says how similar other things are


@dataclass(frozen=True)
class _Seen:
    picture: Picture
    features: FeatureMap
    mask: Bool[Tensor, "h w"]
    spheres: Float[Tensor, "h w 3"]


def summarize(
    info: CategoryInfo,
    pictures: Sequence[Picture],
    others: Sequence[Picture],
    mapper: SphereMapper,
    matching: MatchConfig,
) -> Category:
    """Summarize a category. others: pictures of other ones, which tell how alike what is no keypoint is."""
    own = list(_seen(pictures, mapper))
    features, spheres, annotated = _keypoint_means(info, own, mapper.config.channels)
    query = Query(features, spheres)
    slope, offset = _visibility(query, own, list(_seen(others[:OTHERS], mapper)), matching)
    keypoints = Keypoints(features, spheres, annotated, slope, offset)
    return Category(info, keypoints, _recognized_by(own, mapper.config.channels))


def _seen(pictures: Sequence[Picture], mapper: SphereMapper) -> Iterator[_Seen]:
    device = next(mapper.parameters()).device
    for picture in pictures:
        features, mask = read_object(picture)
        moved = FeatureMap(
            features.values.to(device),
            features.image_size,
            features.backbone,
            features.window,
            None if features.lengths is None else features.lengths.to(device),
        )
        yield _Seen(picture, features, mask, map_sphere(mapper, moved).cpu())


def _keypoint_means(
    info: CategoryInfo, own: Sequence[_Seen], channels: int
) -> tuple[Float[Tensor, "keypoint channel"], Float[Tensor, "keypoint 3"], Bool[Tensor, "keypoint"]]:
    count = len(info.keypoint_names)
    features, spheres, times = torch.zeros(count, channels), torch.zeros(count, 3), torch.zeros(count)
    for seen in own:
        ids = _shown(seen)
        points = seen.picture.sample.keypoints[ids]
        features.index_add_(0, ids, grid.features_at(seen.features, points))
        spheres.index_add_(0, ids, _spheres_at(seen, points))
        times.index_add_(0, ids, torch.ones(len(ids)))
    annotated = times > 0
    up = torch.tensor([0.0, 0.0, 1.0])  # of keypoints never seen: any direction, so that all are finite
    return (
        normalize(features, dim=-1),
        torch.where(annotated[:, None], normalize(spheres, dim=-1), up),
        annotated,
    )


def _shown(seen: _Seen) -> Tensor:
    """List the visible keypoints within the window."""
    sample = seen.picture.sample
    x, y, w, h = grid.window(seen.features)
    at = sample.keypoints.nan_to_num(-1.0)
    inside = (at[:, 0] >= x) & (at[:, 0] < x + w) & (at[:, 1] >= y) & (at[:, 1] < y + h)
    return (sample.visible & inside).nonzero()[:, 0]


def _spheres_at(seen: _Seen, points: Float[Tensor, "point 2"]) -> Float[Tensor, "point 3"]:
    cells = FeatureMap(seen.spheres, seen.features.image_size, seen.features.backbone, seen.features.window)
    return grid.features_at(cells, points)


def _visibility(
    query: Query, own: Sequence[_Seen], others: Sequence[_Seen], matching: MatchConfig
) -> tuple[Float[Tensor, "keypoint"], Float[Tensor, "keypoint"]]:
    """Fit P(seen) = sigmoid(slope (best similarity - usual one) + offset), one curve for all keypoints."""
    if not len(query.features) or not own:
        return torch.zeros(len(query.features)), torch.zeros(len(query.features))
    best = torch.stack([_best(query, seen, matching) for seen in (*own, *others)])
    shown = torch.zeros(best.shape, dtype=torch.bool)
    for row, seen in enumerate(own):
        shown[row, _shown(seen)] = True
    times = shown.sum(0).clamp_min(1)
    usual = torch.where(shown, best, 0.0).sum(0) / times
    excess = best - usual
    spread = float(excess[shown].std()) if int(shown.sum()) > 1 else 0.1
    slope, offset = _logistic(excess / max(spread, 1e-3), shown)
    slope = slope / max(spread, 1e-3)
    return torch.full_like(usual, slope), offset - slope * usual


def _best(query: Query, seen: _Seen, matching: MatchConfig) -> Float[Tensor, "keypoint"]:
    rated = similarity(query, Mapping(seen.features.values, seen.spheres), matching)
    return rated.flatten(1).amax(-1)


def _logistic(
    excess: Float[Tensor, "picture keypoint"], shown: Bool[Tensor, "picture keypoint"]
) -> tuple[float, float]:
    """Fit slope and offset, both classes weighted alike; a fixed curve where there is only one class."""
    if not shown.any() or shown.all():
        return 4.0 / UNSURE_SPREADS, 4.0
    numbers = torch.tensor([1.0, 1.0], requires_grad=True)
    weight = torch.where(shown, 1.0 / shown.sum(), 1.0 / (~shown).sum())
    search = torch.optim.LBFGS([numbers], max_iter=STEPS, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        search.zero_grad()
        logits = numbers[0] * excess + numbers[1]
        each = binary_cross_entropy_with_logits(logits, shown.float(), reduction="none")
        value = (weight * each).sum() + 1e-3 * numbers.square().sum()
        value.backward()
        return value

    search.step(cost)
    slope, offset = numbers.detach().tolist()
    return (slope, offset) if slope > 0 else (4.0 / UNSURE_SPREADS, 4.0)


def _recognized_by(own: Sequence[_Seen], channels: int) -> Prototypes:
    """Average features by where they lie on the sphere."""
    places = golden_spiral(PLACES)
    cells = torch.cat([seen.features.values[seen.mask] for seen in own]) if own else torch.zeros(0, channels)
    spheres = torch.cat([seen.spheres[seen.mask] for seen in own]) if own else torch.zeros(0, 3)
    owner = (spheres @ places.T).argmax(-1)
    times = torch.bincount(owner, minlength=PLACES)
    mean = normalize(torch.zeros(PLACES, channels).index_add_(0, owner, cells), dim=-1)
    alike = (cells * mean[owner]).sum(-1)
    usual = torch.zeros(PLACES).index_add_(0, owner, alike) / times.clamp_min(1)
    square = torch.zeros(PLACES).index_add_(0, owner, (alike - usual[owner]).square()) / times.clamp_min(1)
    kept = times >= FEWEST
    return Prototypes(mean[kept], usual[kept], square.sqrt()[kept])
