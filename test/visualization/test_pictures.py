import dataclasses

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.answer import Answer, nowhere
from semcorr_ros.artifacts import KeypointState
from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.methods.semalign3d.model import Aligned
from semcorr_ros.visualization import canvas
from semcorr_ros.visualization.canvas import Canvas
from semcorr_ros.visualization.matches import Matches, draw_matches, stack
from semcorr_ros.visualization.overlay import draw_answer

GRAY = torch.full((60, 80, 3), 128, dtype=torch.uint8)


def changed(picture, color=128):
    """Pixels that are not the background."""
    return (picture.int() - color).abs().sum(-1) > 30


def test_canvas_puts_a_dot_on_its_pixel():
    canvas = Canvas(GRAY, longer_side=320)
    canvas.dot((20, 10), 6, (255, 0, 0))
    picture = canvas.tensor()
    assert picture.shape == (240, 320, 3)
    rows, columns = changed(picture).nonzero().float().unbind(-1)
    assert columns.mean().item() == pytest.approx(4 * 20.5 - 0.5, abs=0.5)
    assert rows.mean().item() == pytest.approx(4 * 10.5 - 0.5, abs=0.5)
    assert picture[42, 82].tolist() == [255, 0, 0]


def test_labels_cover_neither_points_nor_each_other():
    canvas = Canvas(GRAY, longer_side=800)
    points = [(40, 30), (41, 30), (79, 30)]
    for point in points:
        canvas.dot(point, 4, (255, 0, 0))
        canvas.label(point, "name")
    picture = canvas.tensor()
    for x, y in points:
        assert picture[round(10 * (y + 0.5)), min(799, round(10 * (x + 0.5)))].tolist() == [255, 0, 0]
    dark = (picture == torch.tensor([25, 25, 28])).all(-1)
    assert dark.sum() > 0
    assert not dark[:, :1].any()


def test_distinct_colors_are_distinct():
    colors = torch.tensor(canvas.distinct(12), dtype=torch.float32)
    assert (torch.cdist(colors, colors) + 1e3 * torch.eye(12)).min() > 40


def test_position_colors_follow_the_axes():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    colors = canvas.by_position(points).int()
    assert colors[1, 0] > colors[0, 0]
    assert colors[2, 1] > colors[0, 1]
    assert colors[3, 2] > colors[0, 2]


def aligned_truth(model):
    camera = cameras.centered(140.0, (60, 80))
    rotation, offset = fabricated.look_at(40, 20), torch.tensor([0.0, 0, 8])
    keypoints = model.sparse @ rotation.T + offset
    return Alignment(
        keypoints=keypoints[None],
        dense=(model.dense.barycentric @ keypoints)[None],
        rotation=rotation[None],
        translation=offset[None],
        scale=torch.ones(1),
        focal=camera.focal[:1],
        energy=torch.zeros(1),
        energy_by_term={},
        confidence=torch.tensor([0.5]),
        camera=camera,
        metric=True,
    )


def draw(model, aligned, longer_side=1280):
    placed = Aligned(model, None, aligned)
    return draw_answer(GRAY, Answer(model.info, (), nowhere(0), 0.5, placed.pose, placed=placed), longer_side)


def test_overlay_draws_where_the_class_is():
    model = fabricated.make_class()
    aligned = aligned_truth(model)
    picture = draw(model, aligned, longer_side=640)
    assert picture.shape == (480, 640, 3)
    pixels = (8 * (cameras.project(aligned.keypoints[0], aligned.camera) + 0.5)).long()
    assert all(picture[y, x].min() > 230 for x, y in pixels.tolist()), "white keypoints"
    assert not changed(picture)[400:, :60].any()


def test_overlay_leaves_out_what_was_never_seen_or_is_behind_the_camera():
    model = fabricated.make_class()
    aligned = aligned_truth(model)
    unseen = dataclasses.replace(model, annotated=torch.zeros_like(model.annotated))
    behind = dataclasses.replace(aligned, keypoints=-aligned.keypoints, dense=-aligned.dense)
    for picture in (draw(unseen, behind), draw(model, behind)):
        assert not changed(picture)[60:].any()


def matches(*states, truth=None):
    points = torch.tensor([[20.0, 15.0], [60.0, 45.0]])[: len(states)]
    state = torch.tensor([int(s) for s in states])
    return Matches(points, points, state, ("one", "two")[: len(states)], truth)


def test_matches_are_side_by_side_at_equal_height():
    picture = draw_matches(GRAY, GRAY[:30], matches(KeypointState.VISIBLE))
    left, right = round(720 * 80 / 60), round(720 * 80 / 30)
    assert picture.shape == (720, left + 12 + right, 3)
    both = [
        picture[round(12 * 15.5), round(12 * 20.5)],
        picture[round(24 * 15.5), left + 12 + round(24 * 20.5)],
    ]
    assert both[0].tolist() == both[1].tolist() == list(canvas.distinct(1)[0])


@pytest.mark.parametrize("state", [KeypointState.OUT_OF_IMAGE, KeypointState.REJECTED, KeypointState.UNKNOWN])
def test_a_lost_point_is_not_drawn_in_the_target(state):
    picture = draw_matches(GRAY, GRAY, matches(state))
    assert changed(picture)[:, :960].any()
    assert not changed(picture)[:, 972:].any()


def test_a_hidden_point_is_a_ring():
    picture = draw_matches(GRAY, GRAY, matches(KeypointState.OCCLUDED))
    center = picture[round(12 * 15.5), 972 + round(12 * 20.5)]
    assert center.tolist() == [128, 128, 128] or changed(center[None, None]).sum() <= 1
    assert changed(picture)[:, 972:].any()


def test_nan_points_and_truth_are_survived():
    nan = torch.full((1, 2), torch.nan)
    lost = Matches(torch.tensor([[20.0, 15.0]]), nan, torch.tensor([1]), ("one",), nan)
    assert not changed(draw_matches(GRAY, GRAY, lost))[:, 972:].any()
    true = matches(KeypointState.REJECTED, truth=torch.tensor([[60.0, 45.0]]))
    assert changed(draw_matches(GRAY, GRAY, true))[:, 972:].any()


def test_stack_pads_to_the_widest():
    page = stack([GRAY, GRAY[:, :40]])
    assert page.shape == (60 + 12 + 60, 80, 3)
    assert page[100, 60].tolist() == [245] * 3
