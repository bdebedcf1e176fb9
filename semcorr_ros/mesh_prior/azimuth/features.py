"""Our own: rendered feature maps matched with those of the category's other meshes.

No picture says where the front of a class is: most meshes do. Their relative turns, multiples of 90 degrees,
are solved for together (synchronisation over the cyclic group of four), and the one that most have is the
front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.mesh_prior.azimuth import Azimuth
from semcorr_ros.mesh_prior.views import COUNT, MeshView
from semcorr_ros.registry import Plugin

QUARTERS = 4
MOST = 24  # meshes that all are compared with, spread evenly over the category
CELLS = 16  # per side: a map of fewer cells forgives that no two objects have one shape
LEAST = 2  # meshes: one alone has nothing to be compared with


@dataclass(frozen=True)
class FeaturesSettings:
    """What encodes the views, and how large they are."""

    extractor: FeatureExtractor | None = None
    side: int = 224


class FeatureAzimuth:
    """Matches them."""

    def __init__(self, settings: FeaturesSettings) -> None:
        if settings.extractor is None:
            raise ValueError("--azimuth features needs a backbone")
        self._extractor, self.side = settings.extractor, settings.side

    @property
    def identity(self) -> str:
        return f"features {self._extractor.backbone} side={self.side}"

    def of_category(self, category: Sequence[Sequence[MeshView]]) -> Azimuth:
        """Encode the gallery and solve for its turns. Raises ValueError for a category of one mesh."""
        if len(category) < LEAST:
            raise ValueError(f"{len(category)} mesh: --azimuth features compares at least {LEAST}")
        spread = torch.linspace(0, len(category) - 1, min(MOST, len(category))).round().long().tolist()
        gallery = [category[i] for i in dict.fromkeys(spread)]
        maps = torch.stack([torch.stack([self._encode(view) for view in views]) for views in gallery])
        center = maps[..., :-1].sum((0, 1, 2)) / maps[..., -1].sum().clamp_min(1)
        codes = _centered(maps, center)
        turns = synchronize(pairwise(codes))
        # Rolled so that row a is the view from azimuth 45 a of the front.
        aligned = torch.stack([code.roll(-2 * int(turn), 0) for code, turn in zip(codes, turns, strict=True)])
        names = [views[0].name for views in gallery]
        seen = {
            (view.name, view.azimuth_deg): codes[i, k]
            for i, v in enumerate(gallery)
            for k, view in enumerate(v)
        }

        def azimuth(view: MeshView) -> tuple[float, float]:
            code = seen.get((view.name, view.azimuth_deg))
            if code is None:
                code = _centered(self._encode(view), center)
            others = torch.tensor([name != view.name for name in names])
            alike = torch.einsum("gax,x->ga", aligned[others], code).mean(0)
            return _peak(alike) * 360 / COUNT, _margin(alike)

        return azimuth

    def _encode(self, view: MeshView) -> Float[Tensor, "cell channel"]:
        """Pool the features of a view over its object; the last channel is each cell's share of it."""
        values = self._extractor.encode(ImageRef(view.image)).values.cpu().permute(2, 0, 1)
        share = torch.nn.functional.adaptive_avg_pool2d(
            view.mask[None, None].float(), (values.shape[1], values.shape[2])
        )[0]
        pooled = torch.nn.functional.adaptive_avg_pool2d(torch.cat([values * share, share])[None], CELLS)[0]
        return pooled.flatten(1).T


def _margin(alike: Float[Tensor, "view"]) -> float:
    """Return by how much the best azimuth is more alike than those a quarter or half turn away.

    Of a flat thing seen edge-on, front and back look the same.
    """
    step = COUNT // QUARTERS
    own, *others = alike.roll(-int(alike.argmax()))[::step].tolist()
    return own - max(others)


def _peak(alike: Float[Tensor, "view"]) -> float:
    """Return where the parabola through the highest value and its neighbours has its top, cyclic: half way
    between two quarters the side that fits better decides."""
    best = int(alike.argmax())
    before, top, after = alike.roll(1 - best)[:3].tolist()
    bend = before - 2 * top + after
    return best + (0.5 * (before - after) / bend if bend < 0 else 0.0)


PLUGIN: Plugin[FeatureAzimuth] = Plugin(FeaturesSettings, FeatureAzimuth)


def pairwise(codes: Float[Tensor, "mesh view code"]) -> Float[Tensor, "mesh mesh quarter"]:
    """Compute how alike mesh i and mesh j are when j is seen from q quarter turns further."""
    step = codes.shape[1] // QUARTERS
    turned = torch.stack([codes.roll(-q * step, 1) for q in range(QUARTERS)], 0)
    return torch.einsum("iax,qjax->ijq", codes, turned) / codes.shape[1]


def synchronize(alike: Float[Tensor, "mesh mesh quarter"]) -> Int[Tensor, "mesh"]:
    """Find a turn of each mesh, in quarters, such that all agree best with each other; most have turn 0.

    alike[i, j, q]: how well j fits i if turn_j - turn_i = q. Coordinate ascent from every mesh's own opinion
    of the others: the best of as many starts as there are meshes.
    """
    count = len(alike)
    both = alike + alike.transpose(0, 1)[..., [0, 3, 2, 1]]
    both = both * (1 - torch.eye(count, dtype=both.dtype))[..., None]
    best, found = -math.inf, torch.zeros(count, dtype=torch.long)
    for start in range(count):
        turns = both[start].argmax(-1)
        turns[start] = 0
        turns, value = _ascend(both, turns)
        if value > best + 1e-6:
            best, found = value, turns
    return (found - torch.bincount(found, minlength=QUARTERS).argmax()) % QUARTERS


def _ascend(both: Float[Tensor, "mesh mesh quarter"], turns: Int[Tensor, "mesh"]) -> tuple[Tensor, float]:
    rows = torch.arange(len(turns))
    for _ in range(10 * len(turns)):
        before = turns.clone()
        for i in range(len(turns)):
            score = torch.stack([both[rows, i, (q - turns) % QUARTERS].sum() for q in range(QUARTERS)])
            turns[i] = score.argmax()
        if torch.equal(before, turns):
            break
    value = both[rows[:, None], rows[None], (turns[None] - turns[:, None]) % QUARTERS].sum()
    return turns, float(value)


def _centered(pooled: Float[Tensor, "*batch cell pooled"], center: Float[Tensor, "channel"]) -> Tensor:
    """Subtract what all cells have in common, and make each map one unit vector."""
    own = pooled[..., :-1] - pooled[..., -1:] * center
    return torch.nn.functional.normalize(own.flatten(-2), dim=-1)
