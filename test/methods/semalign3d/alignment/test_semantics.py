"""p_sem of Eq. 4 with the certainty of every class point, and the frame of normalized coordinates."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import Camera, FeatureMap, Prototypes
from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.evidence import (
    EvidenceConfig,
    features_between,
    gather_evidence,
    image_frame,
    log_semantic,
)

LITERAL = EvidenceConfig(one_sided=False, similarity_std_floor=0.0)
# Two prototypes and a feature whose similarities to them are 0.8 and 0.6.
FEATURE = torch.tensor([[0.8, 0.6]])
MEAN, STD = (0.9, 0.5), (0.05, 0.2)
PROTOTYPES = Prototypes(torch.eye(2), torch.tensor(MEAN), torch.tensor(STD))


def test_every_point_has_its_own_certainty():
    found = log_semantic(FEATURE, PROTOTYPES, LITERAL)[0].tolist()
    assert found == pytest.approx([-0.5 * (0.1 / 0.05) ** 2, -0.5 * (0.1 / 0.2) ** 2], rel=1e-4)


def test_more_alike_than_usual_is_as_good_as_usual():
    found = log_semantic(FEATURE, PROTOTYPES, replace(LITERAL, one_sided=True))[0].tolist()
    assert found == pytest.approx([-2.0, 0.0], rel=1e-4)


def test_the_floor_holds_the_surest_points_only():
    found = log_semantic(FEATURE, PROTOTYPES, replace(LITERAL, similarity_std_floor=0.1))[0].tolist()
    assert found == pytest.approx([-0.5, -0.125], rel=1e-4)


def test_a_deviation_of_zero_is_not_divided_by():
    certain = replace(PROTOTYPES, similarity_std=torch.zeros(2))
    assert torch.isfinite(log_semantic(FEATURE, certain, LITERAL)).all()


@pytest.mark.parametrize("what", ["similarity_mean", "similarity_std"])
def test_evidence_knows_the_certainty_of_each_point(what):
    """Of the dense points and of the keypoints: what is exchanged between points changes what is likely."""
    model = fabricated.make_class()
    seen, _ = fabricated.observe(model, 30, 25)

    def rolled(prototypes):
        return replace(prototypes, **{what: getattr(prototypes, what).roll(1)})

    dense = replace(model.dense, prototypes=rolled(model.dense.prototypes))
    other = replace(model, dense=dense, sparse_prototypes=rolled(model.sparse_prototypes))
    of_model, of_other = (
        gather_evidence(each, seen, EvidenceConfig(samples=64), torch.Generator().manual_seed(0))
        for each in (model, other)
    )
    for kind in ("dense", "sparse"):
        a, b = (getattr(each, kind).log_semantic.exp() for each in (of_model, of_other))
        assert (a.mean(0) - b.mean(0)).abs().max() > 0.02


def test_a_pixel_is_the_tangent_of_its_ray_times_the_focal_length():
    """On both axes: y is stretched by fx / fy, so that one focal length serves both."""
    seen, _ = fabricated.observe(fabricated.make_class(), 30, 25)
    camera = Camera(torch.tensor([120.0, 180.0]), torch.tensor([50.0, 60.0]), fabricated.SIZE)
    frame = image_frame(replace(seen, camera=camera), (10, 20, 100, 60))
    point = torch.tensor([[0.3, -0.2, 2.0]])
    found = frame.normalize(cameras.project(point, camera))
    focal = 120.0 / 100  # of x, in longer sides of what counts
    torch.testing.assert_close(found, focal * point[:, :2] / point[:, 2:])
    assert frame.image == pytest.approx(128 / 100)


def test_the_camera_of_the_answer_projects_to_where_the_energy_placed_the_class():
    """Without a camera: square pixels about the middle, and the focal length that was found."""
    model = fabricated.make_class()
    seen, _ = fabricated.observe(model, 30, 25)
    config = replace(AlignmentConfig(), optimize=replace(AlignmentConfig().optimize, steps=20))
    unknown = alignment.align(model, replace(seen, camera=None), config, torch.Generator().manual_seed(0))
    assert unknown.camera.focal.tolist() == pytest.approx([float(unknown.focal[0])] * 2)
    assert unknown.camera.principal_point.tolist() == [63.5, 47.5]
    known = alignment.align(model, seen, config, torch.Generator().manual_seed(0))
    assert known.camera is seen.camera
    assert known.focal.tolist() == pytest.approx([140.0] * len(known.focal))
    middle = cameras.project(known.keypoints[0].mean(0), known.camera)
    rows, columns = seen.mask.nonzero(as_tuple=True)
    center = torch.stack([columns.float().mean(), rows.float().mean()])
    assert (middle - center).norm() < 6
    assert math.isclose(float(known.dense[0, :, 2].mean()), 0.35, rel_tol=0.1)


def test_similarities_of_cells_are_what_is_interpolated_where_the_paper_is_followed():
    """Eq. 4 upscales the similarity map: between two cells it is their mean, whatever the features do."""
    cells = torch.nn.functional.normalize(torch.tensor([[[1.0, 0.2], [0.1, 1.0]]]), dim=-1)
    features = FeatureMap(cells, (1, 2), "fabricated:1")
    between = torch.tensor([[1.0, 0.5]])
    expected = (cells[0, 0] @ torch.eye(2) + cells[0, 1] @ torch.eye(2)) / 2
    found = features_between(features, between, "similarities")[0]
    torch.testing.assert_close(found, expected)
    longer = features_between(features, between, "features")[0]
    assert longer.norm() == pytest.approx(1.0)
    assert (longer > found).all()
    with pytest.raises(ValueError, match="upscale must be one of features, similarities, got 'pixels'"):
        EvidenceConfig(upscale="pixels")
