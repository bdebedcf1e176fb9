"""Proposals, recovered where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from semcorr_ros.answer import Answer, subset
from semcorr_ros.artifacts import CategoryInfo, Correspondences, FeatureMap, KeypointState
from semcorr_ros.geometry import grid
from semcorr_ros.teach.novelty import Novelty
from semcorr_ros.teach.outlines import Click, corrected
from semcorr_ros.teach.proposals import Known, by_class, by_matches
from semcorr_ros.teach.sides import proposed_pairs
from semcorr_ros.teach.views import Clicked, doubts, ring, view_of

SIZE = (300, 400)
GRID = (30, 40)
POINTS = torch.tensor([[120.0, 90], [250, 80], [260, 200], [130, 210], [190, 150], [90, 150]])


def features(points: torch.Tensor, kinds: list[int], noise: float = 0.0) -> FeatureMap:
    """Every keypoint looks like its kind; two of a kind cannot be told apart by looks."""
    draws = torch.Generator().manual_seed(1)
    looks = torch.nn.functional.normalize(torch.randn(20, 32, generator=draws), dim=-1)
    values = torch.nn.functional.normalize(torch.randn(*GRID, 32, generator=draws), dim=-1) * 0.3
    centers = grid.cell_centers(GRID, SIZE)
    for point, kind in zip(points, kinds, strict=True):
        near = torch.exp(-((centers - point).norm(dim=-1) ** 2) / (2 * 12.0**2))
        values = values + near[..., None] * looks[kind]
    values = values + noise * torch.randn(values.shape, generator=draws)
    return FeatureMap(torch.nn.functional.normalize(values, dim=-1), SIZE, "looks:1")


def test_keypoints_are_found_again_where_they_have_moved():
    turn = torch.tensor([[0.9, 0.15], [-0.1, 0.85]])
    moved = (POINTS - 190) @ turn.T + torch.tensor([200.0, 160])
    found = by_matches([Known(features(POINTS, [*range(6)]), POINTS)], features(moved, [*range(6)], 0.05))
    assert (found.points - moved).norm(dim=1).max() < 8
    assert found.visible.all()


def test_layout_tells_twins_apart():
    kinds = [0, 0, 1, 1, 2, 3]  # the first two look the same, and so do the next
    found = by_matches([Known(features(POINTS, kinds), POINTS)], features(POINTS + 20, kinds))
    assert (found.points - POINTS - 20).norm(dim=1).max() < 8


def test_a_view_from_the_other_side_exchanges_left_and_right():
    mirrored = POINTS * torch.tensor([-1.0, 1]) + torch.tensor([399.0, 0])
    flip = [1, 0, 3, 2, 4, 5]
    found = by_matches(
        [Known(features(POINTS, [*range(6)]), POINTS)], features(mirrored, [*range(6)]), None, flip
    )
    assert (found.points - mirrored[flip]).norm(dim=1).max() < 8


def test_what_the_most_alike_picture_hides_is_proposed_as_hidden():
    hidden = POINTS.clone()
    hidden[2] = torch.nan
    shown, other = features(POINTS, [*range(6)]), features(POINTS + 5, [6, 7, 8, 9, 10, 11])
    found = by_matches([Known(shown, hidden), Known(other, POINTS + 5)], shown)
    assert found.visible.tolist() == [True, True, False, True, True, True]
    nothing = by_matches([Known(shown, torch.full((6, 2), torch.nan))], shown)
    assert not nothing.visible.any()
    assert nothing.points.isnan().all()


def test_a_class_proposes_its_guess_where_it_does_not_tell_and_nothing_it_does_not_know():
    names = ("rim", "lip", "lid")
    state = torch.tensor([int(KeypointState.VISIBLE), int(KeypointState.UNKNOWN), int(KeypointState.VISIBLE)])
    pixels = torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])
    points = Correspondences(pixels, torch.tensor([0.9, 0.8, 0.7]), state, torch.full((3, 3), torch.nan))
    told = replace(points, points=torch.where(state[:, None] == 0, torch.nan, pixels))
    placed = SimpleNamespace(
        keypoints=lambda ids: subset(points, ids),
        seen=SimpleNamespace(lens=None, rotate=0, image=torch.zeros(100, 100, 3)),
    )
    answer = Answer(CategoryInfo("cup", names, None), names, told, 0.9, placed=placed)
    found = by_class(answer, ("lid", "lip", "rim"), known=("rim", "lip"))
    assert found.visible.tolist() == [False, False, True]
    assert found.points[1:].tolist() == [[30, 40], [10, 20]]
    assert found.points[0].isnan().all()
    assert found.score.tolist() == pytest.approx([0, 0, 0.9])


def test_pairs_come_from_names_else_from_a_symmetric_view():
    assert proposed_pairs(("rim_left", "rim_right", "base"), []) == (("rim_left", "rim_right"),)
    layout = {"a": (100, 50), "b": (200, 52), "c": (80, 150), "d": (221, 151), "top": (150, 20)}
    assert proposed_pairs(tuple(layout), [layout]) == (("a", "b"), ("c", "d"))
    skewed = {"a": (100, 50), "b": (230, 90), "c": (80, 190), "d": (150, 20), "e": (170, 160)}
    assert proposed_pairs(tuple(skewed), [skewed]) == ()


class Box:
    """What `view_of` reads of a class: a box with a nose, left and right paired."""

    info = CategoryInfo("box", tuple("abcdefgh"), (1, 0, 3, 2, 5, 4, 6, 7))
    sparse = torch.tensor(
        [
            [1.0, 0.6, 0],
            [1, -0.6, 0],
            [-1, 0.6, 0],
            [-1, -0.6, 0],
            [0.5, 0.5, 0.7],
            [0.5, -0.5, 0.7],
            [1.4, 0, 0.3],
            [-1, 0, 0.5],
        ]
    )
    annotated = torch.ones(8, dtype=torch.bool)


def seen(azimuth: float, elevation: float, name: str = "p") -> Clicked:
    a, e = np.radians([azimuth, elevation])
    forward = -np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[500.0, 0, 199.5], [0, 500, 149.5], [0, 0, 1]])
    points = Box.sparse.double().numpy() @ rotation.T + [0, 0, 7]
    return Clicked(name, (points @ K.T)[:, :2] / points[:, 2:], SIZE, K)


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 10), (100, 30), (-130, 55)])
def test_from_where_a_picture_was_taken(azimuth, elevation):
    view = view_of(seen(azimuth, elevation), Box)
    assert abs(view.azimuth - azimuth) < 1
    assert abs(view.elevation - elevation) < 1
    assert not view.swapped
    assert view.misfit < 0.01
    assert {cell["sector"] for cell in ring([view]) if cell["count"]} == {round(azimuth / 30) % 12}


def test_a_click_that_is_off_is_told_with_where_it_fits():
    clicks = [seen(angle, 30, str(angle)) for angle in (0, 60, 120, 200, 300)]
    right = clicks[2].points[4].copy()
    clicks[2].points[4] += [60, -10]
    views = [view_of(one, Box) for one in clicks]
    (doubt,) = doubts(views, Box.info.keypoint_names)
    assert (doubt.picture, doubt.keypoint, doubt.kind) == ("120", "e", "off")
    assert np.hypot(doubt.x - right[0], doubt.y - right[1]) < 12


def test_swapped_sides_are_told_as_such():
    clicks = seen(40, 30)
    swapped = replace(clicks, points=clicks.points[list(Box.info.flip)])
    (doubt,) = doubts([view_of(swapped, Box)], Box.info.keypoint_names)
    assert doubt.kind == "swapped"


def test_clicks_correct_an_outline():
    image = np.full((200, 300, 3), (40, 60, 50), np.uint8)
    cv2.circle(image, (150, 100), 50, (200, 80, 60), -1)
    cv2.circle(image, (60, 60), 20, (190, 90, 60), -1)
    image += np.random.default_rng(0).integers(0, 12, image.shape, dtype=np.uint8)
    picture = torch.from_numpy(image)
    truth = torch.from_numpy(cv2.circle(np.zeros((200, 300), np.uint8), (150, 100), 50, 1, -1) > 0)
    first = corrected(picture, None, [])
    assert (first & truth).sum() / (first | truth).sum() > 0.9
    more = corrected(picture, first, [Click(60, 60, True)])
    assert more[60, 60]
    assert more[100, 150]
    less = corrected(picture, more, [Click(60, 60, False)])
    assert not less[60, 60]


def test_a_picture_is_worth_taking_when_it_is_new_and_sharp():
    draws = np.random.default_rng(0)
    coarse = [draws.integers(0, 255, (9, 12, 3), dtype=np.uint8) for _ in "ab"]
    sharp = [cv2.resize(one, (320, 240), interpolation=cv2.INTER_NEAREST) for one in coarse]
    one, two = map(torch.from_numpy, sharp)
    novelty = Novelty()
    assert novelty.worth(one)
    novelty.take(one)
    assert not novelty.worth(one)
    assert novelty.worth(two)
    blurred = torch.from_numpy(cv2.GaussianBlur(two.numpy(), (0, 0), 15))
    assert not novelty.worth(blurred)
