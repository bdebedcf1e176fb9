"""What views give to the class: mirrored looks to the partner on the other side, surfaces within the hull."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
import torch

from semcorr_ros.artifacts import CategoryInfo, FeatureMap
from semcorr_ros.methods.semalign3d.building import build as building
from semcorr_ros.methods.semalign3d.building.barycentric import hull_distance
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import observe
from semcorr_ros.methods.semalign3d.building.lift_views import lift_surface, mirror_points
from semcorr_ros.methods.semalign3d.building.merge_surfaces import TRUSTED, merge_surfaces
from semcorr_ros.methods.semalign3d.building.report import Report
from semcorr_ros.methods.semalign3d.building.sparse_cloud import _placed_info, sparse_cloud
from semcorr_ros.methods.semalign3d.building.swapped_sides import exchange_labels
from semcorr_ros.methods.semalign3d.building.training import lift

CONFIG = BuildConfig(surface_points=300)
NAMES = builders.BEAST.keypoint_names


@pytest.fixture(scope="module")
def trained():
    """Views whose features tell left from right: a channel that is signed by the side."""
    pictures = builders.pictures(16, seed=0)
    evidence = [observe(_sided(each), CONFIG, torch.Generator().manual_seed(0)) for each in pictures]
    training = lift(builders.BEAST, evidence, CONFIG, torch.Generator().manual_seed(0), Report())
    sparse = sparse_cloud(training.views, builders.BEAST, training.flip.accepted, CONFIG)
    return training, sparse


def _sided(picture):
    """Add a channel that is 1 on the object's left and -1 on its right; what shows a right ear in a mirrored
    picture looks like a left one there."""
    side = builders.features_of(picture.places).values.new_zeros(30, 40, 1)
    y = picture.places[2::4, 2::4, 1].nan_to_num()
    side[..., 0] = y.sign()
    plain = picture.sample.features
    values = torch.nn.functional.normalize(torch.cat([plain.values, side], -1), dim=-1)
    other = torch.nn.functional.normalize(torch.cat([plain.values, -side], -1), dim=-1)
    size = plain.image_size
    return replace(
        picture.sample,
        features=FeatureMap(values, size, builders.BACKBONE),
        mirrored_features=FeatureMap(other.flip(1), size, builders.BACKBONE),
    )


def test_a_mirrored_right_ear_teaches_what_left_ears_look_like(trained):
    training, sparse = trained
    assert training.flip.accepted
    prototypes = building._keypoint_prototypes(training, sparse, CONFIG, 0)
    for name in ("ear", "flank", "front foot"):
        left, right = (NAMES.index(f"{side} {name}") for side in ("left", "right"))
        assert prototypes.features[left, -1] > 0.4
        assert prototypes.features[right, -1] < -0.4


def test_every_keypoint_has_the_certainty_of_its_own_samples(trained):
    training, sparse = trained
    prototypes = building._keypoint_prototypes(training, sparse, CONFIG, 0)
    for keypoint, partner in enumerate(builders.FLIP):
        samples = [view.features[keypoint] for view in training.evidence]
        samples += [view.mirrored_features[partner] for view in training.evidence]
        samples = torch.stack([one for one in samples if one.norm() > 0.5])
        mean = torch.nn.functional.normalize(samples.mean(0), dim=0)
        similarity = samples @ mean
        torch.testing.assert_close(prototypes.features[keypoint], mean, atol=1e-5, rtol=0)
        assert float(prototypes.similarity_mean[keypoint]) == pytest.approx(
            float(similarity.mean()), abs=1e-5
        )
        expected = max(float(similarity.std()), CONFIG.similarity_std_floor)
        assert float(prototypes.similarity_std[keypoint]) == pytest.approx(expected, abs=1e-5)
    assert prototypes.similarity_std.max() > 2 * prototypes.similarity_std.min()
    assert prototypes.similarity_mean.max() > prototypes.similarity_mean.min() + 0.02


@pytest.mark.parametrize("tolerance", [0.0, 0.2, 0.5])
def test_the_surface_beyond_the_hull_of_a_views_keypoints_is_dropped(trained, tolerance):
    training, sparse = trained
    config = replace(CONFIG, hull_tolerance=tolerance)
    merged, share = merge_surfaces(training, sparse, sparse.points, config)
    count, expected, total = len(training.evidence), 0, 0
    for row in sparse.aligned.usable.nonzero()[:, 0].tolist():
        surface = lift_surface(training.evidence[row % count], float(training.focals[row % count]))
        surface = mirror_points(surface) if row >= count else surface
        aligned = sparse.aligned
        moved = aligned.scale[row] * surface @ aligned.rotation[row].T + aligned.translation[row]
        anchors = aligned.points[row, sparse.weight[row] > TRUSTED]
        inside = hull_distance(moved, anchors) <= tolerance
        total += len(moved)
        assert int((merged.view == row).sum()) in (0, int(inside.sum()))
        expected += int((merged.view == row).sum())
    assert len(merged.points) == expected
    assert share == pytest.approx(expected / total, abs=1e-3)
    assert 0.1 < share < 1


def test_a_larger_tolerance_keeps_more(trained):
    training, sparse = trained
    shares = [
        merge_surfaces(training, sparse, sparse.points, replace(CONFIG, hull_tolerance=tolerance))[1]
        for tolerance in (0.0, 0.1, 0.5)
    ]
    assert shares == sorted(shares)
    assert shares[2] - shares[0] > 0.1


def test_names_of_keypoints_that_are_not_placed_say_nothing_of_the_axes():
    """Nor do their partners constrain the plane of symmetry: their rows are zero."""
    placed = torch.tensor([True, False, True, True, True, True, True])
    info = CategoryInfo(
        "x", ("left a", "right a", "left b", "right b", "nose", "c", "d"), (1, 0, 3, 2, 4, 6, 5)
    )
    found = _placed_info(info, placed)
    assert found.keypoint_names == ("left a", "", "left b", "right b", "nose", "c", "d")
    assert found.flip == (0, 1, 3, 2, 4, 6, 5)
    assert _placed_info(replace(info, flip=None), placed).flip is None


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("mirrored", [True, False])
def test_exchanged_labels_take_along_all_that_belongs_to_a_keypoint(coarse, mirrored):
    picture = builders.pictures(1, seed=0)[0].sample
    view = observe(picture, CONFIG, torch.Generator().manual_seed(0))
    small = replace(view.looks[0], features=2 * view.features, mirrored_features=3 * view.features)
    view = replace(view, coarse=small if coarse else None)
    if not mirrored:
        view = replace(
            view,
            mirrored_features=None,
            coarse=replace(small, mirrored_features=None) if coarse else None,
        )
    order = list(builders.FLIP)
    kept, changed = exchange_labels([view, view], torch.tensor([False, True]), builders.FLIP)
    assert kept is view
    for name in ("pixels", "depths", "features"):
        torch.testing.assert_close(
            getattr(changed, name), getattr(view, name)[order], equal_nan=True, rtol=0, atol=0
        )
    for old, new in zip(view.looks, changed.looks, strict=True):
        assert torch.equal(new.features, old.features[order])
        assert (new.mirrored_features is None) == (not mirrored)
        if mirrored:
            assert torch.equal(new.mirrored_features, old.mirrored_features[order])
    assert torch.equal(changed.surface_features, view.surface_features)
