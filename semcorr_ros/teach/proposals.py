"""Where the keypoints of a new picture may be: from annotated pictures, by features and layout.

Every annotated picture is matched to the new one keypoint by keypoint (`window_soft_argmax`, GeoAware-SC,
CVPR 2024, Section 3.4). An affine map is fitted robustly to these matches, and each keypoint is looked for
again near where the map puts it. The picture whose features then fit best lends its keypoints; where the map
mirrors, it was seen from the other side, and left and right change places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import FeatureMap, KeypointState
from semcorr_ros.geometry import grid
from semcorr_ros.geometry.taken import points_taken
from semcorr_ros.methods._features import cosine_similarity
from semcorr_ros.methods.window_soft_argmax import TEMPERATURE, WINDOW, expected_cell

NEAR = 0.12  # spread around where the map puts a keypoint, as a share of the object's size
PULL = 0.05  # what one spread off costs, in cosine
LENDERS = 3  # pictures whose keypoints are taken over
SHARPNESS = 0.02  # difference in cosine at which a lender weighs e times less
ROUNDS = 8  # of the robust fit
FEWEST = 3  # matches that an affine map needs
STIFFNESS = 0.05  # of that map, in shares of what the matches say


@dataclass(frozen=True)
class Known:
    """An annotated picture. Rows of unknown and of hidden keypoints are NaN."""

    features: FeatureMap
    points: Float[Tensor, "keypoint 2"]


@dataclass(frozen=True)
class Proposed:
    """Where keypoints may be."""

    points: Float[Tensor, "keypoint 2"]  # pixels; NaN where no annotated picture shows the keypoint
    score: Float[Tensor, "keypoint"]  # [0, 1]
    visible: Bool[Tensor, "keypoint"]


@dataclass(frozen=True)
class _Loan:
    points: Tensor  # (keypoint, 2)
    score: Tensor  # (keypoint,), NaN where the lender does not show it
    fit: float


def by_matches(
    known: Sequence[Known],
    target: FeatureMap,
    inside: Bool[Tensor, "height width"] | None = None,
    flip: Sequence[int] | None = None,
) -> Proposed:
    """Propose keypoints by matching annotated pictures. inside: the object's outline, where it is known."""
    loans = [loan for one in known if (loan := _lent(one, target, inside, flip)) is not None]
    loans = sorted(loans, key=lambda loan: -loan.fit)[:LENDERS]
    count = len(known[0].points) if known else 0
    if not loans:
        empty = torch.full((count, 2), torch.nan)
        return Proposed(empty, torch.zeros(count), torch.zeros(count, dtype=torch.bool))
    fits = torch.tensor([loan.fit for loan in loans])
    weight = torch.softmax(fits / SHARPNESS, 0)
    shown = torch.stack([loan.score.isfinite() for loan in loans])
    first = shown.float().argmax(0)  # the best lender that shows it
    rows = torch.arange(count)
    any_ = shown.any(0)
    points = torch.stack([loan.points for loan in loans])[first, rows]
    score = torch.stack([loan.score for loan in loans])[first, rows]
    points[~any_] = torch.nan
    return Proposed(points, torch.where(any_, score.clamp(0, 1), 0.0), (weight @ shown.float() > 0.5) & any_)


def by_class(answer: Answer, names: Sequence[str], known: Sequence[str]) -> Proposed:
    """Propose keypoints from a class aligned to the picture: NaN for those that it does not know.

    Of a cup whose handle is hidden the class does not say where the others are; here a user decides, and sees
    its best guess. Such rows are not visible, and score 0.
    """
    points, score = torch.full((len(names), 2), torch.nan), torch.zeros(len(names))
    visible = torch.zeros(len(names), dtype=torch.bool)
    told = answer.only([name for name in names if name in known])
    guesses = _guessed(answer, told)
    rows = zip(told.names, told.pixels, guesses, told.scores, told.states, strict=True)
    for name, pixel, guess, value, state in rows:
        row, sure = list(names).index(name), bool(pixel.isfinite().all())
        points[row] = (pixel if sure else guess).cpu()
        score[row] = value.cpu() if sure else 0.0
        visible[row] = state in (KeypointState.VISIBLE, KeypointState.NO_DEPTH)
    return Proposed(points, score, visible)


def _guessed(answer: Answer, told: Answer) -> Float[Tensor, "keypoint 2"]:
    """Return pixels of the placed class before anything is judged."""
    if answer.placed is None:
        return torch.full((len(told.names), 2), torch.nan)
    order = {name: i for i, name in enumerate(answer.info.keypoint_names)}
    ids = torch.tensor([order[name] for name in told.names], dtype=torch.long)
    placed = answer.placed
    return points_taken(placed.keypoints(ids), placed.seen).points.cpu()


def _lent(
    known: Known,
    target: FeatureMap,
    inside: Bool[Tensor, "height width"] | None,
    flip: Sequence[int] | None,
) -> _Loan | None:
    ids = known.points.isfinite().all(-1).nonzero()[:, 0]
    if len(ids) == 0:
        return None
    source = known.points[ids]
    cosine = cosine_similarity(known.features, target, source).cpu()
    if inside is not None:
        cells = grid.cells_of(inside.cpu(), target).cpu()
        cosine = cosine if not cells.any() else torch.where(_grown(cells), cosine, cosine - 1.0)
    found = _pixels(cosine, target)
    moved, mirrored = _mapped(source, found)
    centers = grid.centers(target).cpu()
    size = float((moved.amax(0) - moved.amin(0)).max().clamp_min(1.0))
    off = (centers[None] - moved[:, None, None]).norm(dim=-1) / (NEAR * size)
    pulled = cosine - PULL * 0.5 * off**2
    found, best = _pixels(pulled, target), pulled.flatten(1).amax(1)
    points, score = torch.full((len(known.points), 2), torch.nan), torch.full((len(known.points),), torch.nan)
    names = torch.tensor(flip)[ids] if mirrored and flip is not None else ids
    points[names], score[names] = found, best
    return _Loan(points, score, float(best.mean()))


def _pixels(cosine: Float[Tensor, "point h w"], target: FeatureMap) -> Float[Tensor, "point 2"]:
    cells = expected_cell(cosine - cosine.flatten(1).amin(1)[:, None, None], WINDOW, TEMPERATURE)
    first, size = grid.centers(target)[0, 0].cpu(), torch.tensor(grid.cell_size(target))
    return first + cells * size


def _mapped(
    source: Float[Tensor, "point 2"], found: Float[Tensor, "point 2"]
) -> tuple[Float[Tensor, "point 2"], bool]:
    """Move points by the affine map that most matches agree on, and tell whether it mirrors."""
    if len(source) < FEWEST:
        return source + (found - source).median(0).values, False
    centered = source - source.mean(0)
    scale = float((found - found.median(0).values).norm(dim=1).median().clamp_min(1.0))
    own = float((source - source.median(0).values).norm(dim=1).median().clamp_min(1.0))
    rows = torch.cat([centered, torch.ones(len(source), 1)], 1).double()
    # A little of "no shear" keeps few points from any map they like.
    stiff = STIFFNESS * float((centered**2).sum()) / 2 * torch.diag(torch.tensor([1.0, 1.0, 0.0])).double()
    start = torch.eye(3, 2, dtype=torch.float64) * scale / own
    weight = torch.ones(len(source), dtype=torch.float64)
    matrix = start
    for _ in range(ROUNDS):
        left = rows.T @ (weight[:, None] * rows) + stiff
        matrix = torch.linalg.lstsq(
            left, rows.T @ (weight[:, None] * found.double()) + stiff @ start
        ).solution
        error = (rows @ matrix - found).norm(dim=1)
        weight = 1 / (1 + (error / (0.25 * scale)) ** 2) ** 2
    return (rows @ matrix).float(), bool(torch.linalg.det(matrix[:2]) < 0)


def _grown(cells: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    grown = torch.nn.functional.max_pool2d(cells[None, None].float(), 5, 1, 2)
    return grown[0, 0] > 0
