"""Yaw: right on turned meshes of procedural classes, by features alone; and the contract of estimators."""

import math
from dataclasses import replace

import pytest
import torch
from mesh_cases import posed, turned_by

from semcorr_ros.features import FEATURES
from semcorr_ros.mesh_prior.azimuth import ESTIMATORS
from semcorr_ros.mesh_prior.azimuth.features import FeatureAzimuth, FeaturesSettings, synchronize
from semcorr_ros.mesh_prior.azimuth.orient_anything import (
    OrientAnything,
    OrientAnythingSettings,
    as_input,
    azimuth_of,
)
from semcorr_ros.mesh_prior.canonicalize import canonicalized, vote
from semcorr_ros.mesh_prior.views import views_of

TURNS = (0, 90, 0, 180, 0)


@pytest.fixture(scope="module")
def estimator():
    return FeatureAzimuth(FeaturesSettings(FEATURES.load("tiny").make({}, {"device": "cpu"}), 96))


@pytest.mark.parametrize("category", ["car", "tvmonitor"])
def test_most_of_a_category_say_where_the_front_is(estimator, category):
    meshes = [replace(posed(category, seed), name=f"m{seed}") for seed in range(len(TURNS))]
    turned = [turned_by(mesh, turn) for mesh, turn in zip(meshes, TURNS, strict=True)]
    views = [views_of(mesh.name, mesh.vertices, mesh.faces, estimator.side) for mesh in turned]
    with torch.no_grad():
        azimuth = estimator.of_category(views)
        found = [vote(of_one, azimuth) for of_one in views]
    assert tuple(turn for turn, _ in found) == TURNS
    for mesh, other, one in zip(meshes, turned, found, strict=True):
        back = canonicalized(other, *one)
        assert torch.allclose(back.vertices, mesh.vertices, atol=1e-6)
        assert torch.allclose(back.in_camera(), other.in_camera(), atol=1e-5)
        assert back.measures["yaw_deg"] == one[0]


def test_turns_are_solved_for_together_though_single_pairs_are_wrong():
    turns = torch.tensor([0, 3, 0, 1, 2, 0, 0, 2])
    generator = torch.Generator().manual_seed(0)
    alike = 1.2 * torch.rand(8, 8, 4, generator=generator)
    rows = torch.arange(8)
    alike[rows[:, None], rows[None], (turns[None] - turns[:, None]) % 4] += 0.4
    assert (alike[0].argmax(-1) != turns).any()
    assert torch.equal(synchronize(alike), turns)


def test_a_mesh_alone_has_nothing_to_be_compared_with(estimator):
    mesh = posed("mug")
    views = views_of(mesh.name, mesh.vertices, mesh.faces, estimator.side)
    with pytest.raises(ValueError, match="1 mesh: --azimuth features compares at least 2"):
        estimator.of_category([views])


def test_a_view_is_from_where_it_says():
    """From 0 the camera is at +x, from 90 at +y; up is up."""
    corner = torch.tensor([[0.5, 0, 0], [-0.5, 0.3, 0], [-0.5, -0.3, 0], [-0.5, 0, 0.4]])
    faces = torch.tensor([[0, 1, 3], [0, 3, 2], [0, 2, 1], [1, 2, 3]])
    front, left = (views_of("a", corner, faces, 64)[k] for k in (0, 2))
    assert (front.azimuth_deg, left.azimuth_deg) == (0, 90)
    columns = left.mask.any(0).nonzero()[:, 0]
    tip = left.mask[:, : int(columns[0]) + 6].sum()
    back = left.mask[:, int(columns[-1]) - 5 :].sum()
    assert tip < back  # seen from its left, the tip at +x points left
    assert float((front.mask.flip(1) & front.mask).sum()) > 0.9 * float(front.mask.sum())


def test_the_majority_votes():
    mesh = posed("mug")
    views = views_of(mesh.name, mesh.vertices, mesh.faces, 32)
    seen = {view.azimuth_deg: (view.azimuth_deg - 90 + 20) % 360 for view in views}
    seen[0.0], seen[45.0], seen[90.0] = 200.0, math.nan, 170.0
    turn, share = vote(views, lambda view: (seen[view.azimuth_deg], 1.0))
    assert (turn, share) == (90, 5 / 7)
    sure = {view.azimuth_deg: 9.0 if view.azimuth_deg == 0 else 1.0 for view in views}
    assert vote(views, lambda view: (seen[view.azimuth_deg], sure[view.azimuth_deg]))[0] == 180
    with pytest.raises(ValueError, match="no view tells"):
        vote(views, lambda view: (30.0, 0.0))


def logits(azimuth):
    found = torch.full((900,), -6.0)
    found[:360] = 8 * torch.cos(torch.deg2rad(torch.arange(360.0) - azimuth)) - 4
    found[700] = 50.0
    return found


def test_orient_anything_is_read_as_its_authors_write_it():
    assert azimuth_of(logits(123)) == 123
    assert math.isnan(azimuth_of(torch.zeros(900)))
    with pytest.raises(ValueError, match="has 900 outputs, got"):
        azimuth_of(torch.zeros(720))
    asked = []

    def network(pictures):
        asked.append(pictures)
        return logits(45 * (len(asked) - 1) - 180)[None]

    mesh = posed("mug")
    estimator = OrientAnything(OrientAnythingSettings(), network)
    views = views_of(mesh.name, mesh.vertices, mesh.faces, estimator.side)
    assert vote(views, estimator.of_category([views])) == (180, 1.0)
    assert asked[0].shape == (1, 1, 3, 518, 518)
    assert float(asked[0].max()) == 1
    with pytest.raises(ValueError, match="looks at 518 pixels"):
        as_input(views[0].image[:100])


def test_what_an_estimator_lacks_is_explained(tmp_path):
    with pytest.raises(ImportError, match=r"orient_anything needs Orient Anything V2: clone https://"):
        ESTIMATORS.load("orient_anything").make({}, {"device": "cpu"})
    with pytest.raises(FileNotFoundError, match=r"vision_tower\.py"):
        OrientAnything(OrientAnythingSettings(tmp_path, tmp_path / "w.pt"))
    with pytest.raises(ValueError, match="needs a backbone"):
        ESTIMATORS.load("features").make({}, {})
