"""Render-and-compare on objects whose pose is known."""

import math
from dataclasses import replace

import pytest
import torch
from mesh_cases import moved, posed, shown

from semcorr_ros.mesh_prior import refine as module
from semcorr_ros.mesh_prior.refine import RefineConfig, attraction, intersection_over_union, refine
from semcorr_ros.mesh_prior.window import target_of

CONFIG = RefineConfig()


@pytest.fixture(scope="module")
def mug():
    return posed("mug")


def off(found, truth):
    """How much too large it is (log), and how many pixels aside."""
    aside = (found.translation - truth.translation)[:2] / truth.translation[2] * truth.camera.focal
    return found.log_scale - truth.log_scale, float(aside.norm())


@pytest.mark.parametrize(
    ("factor", "pixels"), [(2.0, (0.0, 0.0)), (0.5, (-62.0, -38.0)), (1.1, (4000.0, 0.0))]
)
def test_size_and_place_are_recovered(mug, factor, pixels):
    """Twice the size, half of it where the silhouette does not touch the mask, and outside the image."""
    mask, start = shown(mug), moved(mug, factor, pixels)
    overlaps = intersection_over_union(start, mask)
    assert (overlaps == 0) == (abs(pixels[0]) > 50)
    found = refine(start, mask, CONFIG)
    growth, aside = off(found, mug)
    assert abs(growth) < 0.03
    assert aside < 1.5
    assert found.measures["iou_before"] == overlaps
    assert found.measures["iou_after"] == intersection_over_union(found, mask) > 0.93
    assert torch.equal(found.rotation, mug.rotation)
    assert found.translation[2] == mug.translation[2]


def occluded(mesh):
    """The mask without its left third."""
    mask = shown(mesh)
    columns = mask.any(0).nonzero()[:, 0]
    hidden = int(columns[0]) + round(0.35 * len(columns))
    mask[:, :hidden] = False
    return mask


def test_an_occluded_object_is_not_shrunk_into_what_is_visible(mug):
    mask = occluded(mug)
    growth, aside = off(refine(mug, mask, CONFIG), mug)
    assert abs(growth) < 0.05
    assert aside < 3


def test_but_it_would_be_without_the_coverage_reward(mug):
    mask, plain = occluded(mug), replace(CONFIG, coverage=0.0, spill=1.0)
    assert off(refine(mug, mask, plain), mug)[0] < -0.1


def test_an_object_cut_by_the_border_goes_on_beyond_it():
    mesh = posed("car")
    beyond = moved(mesh, 1.0, (-50.0, 0.0))
    mask = shown(beyond)
    assert mask[:, 0].any()
    growth, aside = off(refine(moved(beyond, 1.3), mask, CONFIG), beyond)
    assert abs(growth) < 0.06
    assert aside < 4


def test_a_mesh_behind_the_camera_is_brought_before_it(mug):
    found = refine(replace(mug, translation=-mug.translation), shown(mug), CONFIG)
    assert found.measures["iou_before"] == 0
    assert found.measures["iou_after"] > 0.85
    assert found.translation[2] > 0


def test_the_given_pose_stays_where_nothing_is_better(mug, monkeypatch):
    monkeypatch.setattr(module, "_both_phases", lambda mesh, mask, config: (moved(mesh, 3.0), 0.8))
    found = refine(moved(mug, 1.1), shown(mug), CONFIG)
    assert found.log_scale == moved(mug, 1.1).log_scale
    assert found.measures["iou_after"] == found.measures["iou_before"] > 0.7


def test_the_losses_are_those_of_the_paper():
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[6:15, 10:19] = True
    target = target_of(mask, posed("mug", size=(20, 30)).camera, (0, 0, 30, 20), 30, 1.0)
    diagonal = math.hypot(20, 30)
    assert float(target.outside[10, 19]) == 0  # within the dilation
    assert float(target.outside[10, 24]) == pytest.approx((5 / diagonal) ** 2, rel=1e-5)
    assert float(target.inside[10, 14]) == pytest.approx((5 / diagonal) ** 2, rel=1e-5)
    assert float((target.inside * ~mask).max()) == float((target.outside * mask).max()) == 0
    full = attraction(torch.ones(20, 30), target, 3.0)
    assert float(full) == pytest.approx(float(target.outside.mean() - 3 * target.inside.mean()))
    assert float(attraction(torch.zeros(20, 30), target, 3.0)) == pytest.approx(float(target.inside.mean()))


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (torch.zeros(120, 160, dtype=torch.bool), "its mask is empty: 0 pixels"),
        (torch.ones(120, 160, dtype=torch.bool), "its mask is full: 19200 of 19200"),
        (torch.ones(12, 16, dtype=torch.bool), r"its mask is \(12, 16\), its image \(120, 160\)"),
    ],
)
def test_a_mask_without_an_outline_is_refused(mug, mask, said):
    with pytest.raises(ValueError, match=said):
        refine(mug, mask, CONFIG)
