"""A class that is placed a little off: the image tells where its points are."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.artifacts import FROM_KEYPOINTS
from semcorr_ros.methods.semalign3d.matching import local_evidence
from semcorr_ros.methods.semalign3d.matching.local_evidence import image_radius, refine
from semcorr_ros.methods.semalign3d.matching.placed_points import PlacedPoints, locate
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share

SIGMA = 0.06


@pytest.fixture(scope="module")
def scene():
    model = fabricated.make_class()
    return model, fabricated.true_view(model, 30, 25)


def _moved(view, step):
    """The same view, its class placed off by a step (x, y), pixels."""
    aligned = view.aligned
    z = aligned.translation[0, 2]
    move = torch.cat([torch.tensor(step) * z / aligned.camera.focal, torch.zeros(1)])
    parts = {name: getattr(aligned, name) + move for name in ("keypoints", "dense", "translation")}
    return replace(view, aligned=replace(aligned, **parts))


def _shown(model, view):
    """Dense points well inside what is seen: (xyz, pixels, features)."""
    aligned = view.aligned
    to_camera = torch.nn.functional.normalize(-aligned.dense[0], dim=-1) @ aligned.rotation[0]
    turned = (to_camera * model.dense.prototypes.facing).sum(-1) > 0.25
    chosen = turned & (visible_share(aligned.dense[0], aligned) > 0.9)
    xyz = aligned.dense[0, chosen]
    return xyz, cameras.project(xyz, aligned.camera), model.dense.prototypes.features[chosen]


@pytest.mark.parametrize("step", [(-1.5, 0.0), (0.0, -1.5), (-1.0, 1.0)])
def test_points_move_towards_where_the_image_shows_them(scene, step):
    model, view = scene
    xyz, pixels, features = _shown(model, view)
    off = _moved(view, step)
    shift = off.aligned.dense[0] - view.aligned.dense[0]
    found = refine(model, off, xyz + shift[: len(xyz)], features, SIGMA)
    back = -torch.tensor(step)
    recovered = ((found - pixels + back) @ back) / (back @ back)  # 0: nothing of the step, 1: all of it
    assert len(xyz) > 20
    assert 0.15 < recovered.mean() < 1


def test_a_point_that_is_placed_right_stays(scene):
    model, view = scene
    xyz, pixels, features = _shown(model, view)
    error = (refine(model, view, xyz, features, SIGMA) - pixels).norm(dim=-1)
    assert error.median() < 0.6  # the fabricated picture itself is off by half a pixel


def test_the_surface_around_a_point_outvotes_noise_of_the_picture(scene, monkeypatch):
    model, view = scene
    xyz, _, features = _shown(model, view)
    values = view.seen.features.values
    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    values = torch.nn.functional.normalize(values + 0.05 * noise, dim=-1)
    noisy = replace(view, seen=replace(view.seen, features=replace(view.seen.features, values=values)))

    def moved_by_noise():
        found = (refine(model, one, xyz, features, SIGMA) for one in (view, noisy))
        return (next(found) - next(found)).norm(dim=-1).median()

    with_surface = moved_by_noise()
    monkeypatch.setattr(local_evidence, "NEIGHBORS", 1)
    assert with_surface < 0.7 * moved_by_noise()


def test_no_point_moves_further_than_is_looked(scene):
    model, view = scene
    xyz, pixels, features = _shown(model, view)
    found = refine(model, view, xyz, features.flip(0), SIGMA)
    reach = 2.5 * SIGMA * image_radius(view.aligned)
    assert ((found - pixels).abs() <= reach + 1e-4).all()
    assert (found - pixels).norm(dim=-1).median() > 0.05


def test_a_point_that_the_class_hides_stays_where_it_is_projected(scene):
    model, view = scene
    behind = view.aligned.dense[0] * 1.5
    hidden = visible_share(behind, view.aligned) < 1e-3
    assert hidden.sum() > 10
    features = model.dense.prototypes.features[hidden]
    found = refine(model, view, behind[hidden], features, SIGMA)
    torch.testing.assert_close(found, cameras.project(behind[hidden], view.aligned.camera), atol=0.02, rtol=0)


def test_the_image_radius_is_that_of_the_keypoints(scene):
    view = scene[1]
    pixels = cameras.project(view.aligned.keypoints[0], view.aligned.camera)
    expected = (pixels - pixels.mean(0)).square().sum(-1).mean().sqrt()
    assert image_radius(view.aligned) == pytest.approx(float(expected))
    assert image_radius(view.aligned) > 3 * grid.cell_size(view.seen.features)[0]


def test_a_surface_that_was_interpolated_between_keypoints_says_nothing(scene):
    model, view = scene
    guessed = replace(model, provenance={"depth": FROM_KEYPOINTS})
    nonsense = replace(guessed.dense.prototypes, features=guessed.dense.prototypes.features.flip(0))
    other = replace(guessed, dense=replace(guessed.dense, prototypes=nonsense))
    xyz, _, features = _shown(model, view)
    found = [refine(one, view, xyz, features, SIGMA) for one in (guessed, other)]
    torch.testing.assert_close(found[0], found[1])


def test_a_point_goes_to_the_peak_of_the_similarity_and_no_farther_than_sigma_lets_it(scene):
    """A peak between cells, by a map of features whose similarity is known everywhere."""
    model, view = scene
    prototypes = replace(model.dense.prototypes, features=model.dense.prototypes.features[:, :2])
    dense = replace(model.dense, prototypes=prototypes)
    alone = replace(model, dense=dense, provenance={"depth": FROM_KEYPOINTS})
    xyz, pixels, _ = _shown(model, view)
    xyz, begun = xyz[:1], pixels[:1]
    peak = begun[0] + torch.tensor([1.0, -0.7])
    h, w = view.seen.features.values.shape[:2]
    angle = (grid.cell_centers((h, w), (h, w)) - peak).norm(dim=-1) / 4
    values = torch.stack([angle.cos(), angle.sin()], -1)
    there = replace(view, seen=replace(view.seen, features=replace(view.seen.features, values=values)))
    looks = torch.tensor([[1.0, 0.0]])
    free, held = (refine(alone, there, xyz, looks, sigma) for sigma in (0.1, 0.005))
    assert (free - peak).norm() < 0.3 * (begun - peak).norm()
    assert (held - begun).norm() < 0.15


def test_a_keypoint_beside_the_camera_makes_no_object_larger_than_the_image(scene):
    """Such alignments happen, and everything that follows must answer; once, 3e18 bytes were asked for."""
    model, view = scene
    keypoints = view.aligned.keypoints.clone()
    keypoints[0, 0, 2] = 1e-9
    near = replace(view, aligned=replace(view.aligned, keypoints=keypoints))
    assert image_radius(near.aligned) == max(view.aligned.camera.size)
    xyz = near.aligned.keypoints[0]
    features = model.sparse_prototypes.features
    assert torch.isfinite(refine(model, near, xyz, features, SIGMA)[1:]).all()
    found = locate(model, PlacedPoints(xyz, features), near, SIGMA)
    assert len(found.points) == len(xyz)
