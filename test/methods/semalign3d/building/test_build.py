from dataclasses import replace

import builders
import pytest
import torch
from beast_views import mean_keypoints, shape_error

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity
from semcorr_ros.methods.semalign3d.building.build import build
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import LazySample
from semcorr_ros.methods.semalign3d.class_file import read_class, write_class
from semcorr_ros.storage import read_tensors, write_tensors

QUICK = BuildConfig(dense_points=300, surface_points=300, max_combinations=800)


def _build(samples, info=builders.BEAST, config=QUICK, progress=None):
    return build(info, builders.lazy(samples), config, torch.Generator().manual_seed(0), progress)


def _assert_finite(model):
    dense, sparse = model.dense, model.sparse_prototypes
    for values in (
        model.sparse,
        model.shape_modes,
        model.view_rotations,
        dense.barycentric,
        dense.weight,
        dense.prototypes.features,
        dense.prototypes.similarity_mean,
        dense.prototypes.similarity_std,
        sparse.features,
        sparse.similarity_mean,
        sparse.similarity_std,
    ):
        assert torch.isfinite(values).all()


@pytest.fixture(scope="module")
def pictures():
    return builders.pictures(30, seed=0)


@pytest.fixture(scope="module")
def built(pictures):
    return _build([picture.sample for picture in pictures])


def test_the_shape_is_recovered_upright_with_left_on_the_left(built):
    model, _ = built
    assert shape_error(model.sparse, mean_keypoints()) < 0.06
    _, rotation, _ = fit_similarity(mean_keypoints(), model.sparse)
    assert torch.allclose(rotation, torch.eye(3), atol=0.1)
    assert abs(float(model.sparse.square().sum(-1).mean()) - 1) < 1e-3
    assert model.sparse.mean(0).norm() < 1e-3


def test_view_rotations_are_those_of_the_cameras(built, pictures):
    model, report = built
    skipped = {entry["name"] for entry in report["skipped"]}
    truth = torch.stack([p.rotation for p in pictures if p.sample.annotated.name not in skipped])
    angle = ((model.view_rotations @ truth.mT).diagonal(dim1=1, dim2=2).sum(-1) - 1) / 2
    assert torch.rad2deg(angle.clamp(-1, 1).acos()).median() < 5


def test_the_dense_cloud_lies_on_the_surface_and_has_its_features(built):
    model, _ = built
    cloud = model.dense.barycentric @ model.sparse
    fit = fit_similarity(model.sparse, mean_keypoints())
    places = apply_similarity(cloud, *fit)
    beast = builders.mean_beast()
    # Signed distance to each ellipsoid, to first order.
    scaled = (places[:, None] - beast.centers) / beast.radii
    distance = (scaled.norm(dim=-1) - 1) * beast.radii.mean(-1)
    assert distance.abs().amin(-1).median() < 0.04  # of a body 1.2 long
    assert distance.abs().amin(-1).quantile(0.9) < 0.12
    assert cloud.norm(dim=-1).min() > 1e-3
    assert model.dense.prototypes.similarity_mean.median() > 0.9
    assert torch.allclose(model.dense.barycentric.sum(-1), torch.ones(len(cloud)), atol=1e-4)


def test_metric_depth_gives_the_size_in_metres(built, pictures):
    model, _ = built
    centered = [p.keypoints - p.keypoints.mean(0) for p in pictures]
    sizes = torch.stack([points.square().sum(-1).mean().sqrt() for points in centered])
    assert model.metric_scale == pytest.approx(float(sizes.median()), rel=0.1)
    plain = [replace(p.sample, depth=DepthMap(3 * p.sample.depth.values, metric=False)) for p in pictures]
    assert _build(plain[:8])[0].metric_scale == 0


def test_the_report_says_what_happened(built):
    model, report = built
    assert report["images"] == 30
    assert report["views"] == 60
    assert report["flip"]["used"]
    assert {"read", "sparse cloud", "statistics", "dense cloud", "total"} <= set(report["seconds"])
    assert report["statistics"]["frames"] == len(model.statistics.frames.indices) > 200
    assert 0.5 < report["dense"]["kept_share"] <= 1
    assert report["warnings"] == []
    # In one picture a foot has the depth of what is behind it, two thirds of an object's radius too far.
    assert {entry["name"] for entry in report["skipped"]} <= {"beast_017"}
    assert model.backbone == builders.BACKBONE


def test_unknown_cameras_are_estimated():
    pictures = builders.pictures(15, seed=1, known_camera=False)
    model, report = _build([picture.sample for picture in pictures])
    assert len(report["focal_lengths"]) == 15
    assert shape_error(model.sparse, mean_keypoints()) < 0.1


def test_the_same_seed_gives_the_same_bytes(tmp_path, pictures):
    for name in ("a", "b"):
        model, _ = _build([picture.sample for picture in pictures[:6]])
        write_class(tmp_path / name, model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert torch.equal(read_class(tmp_path / "a").sparse, model.sparse)


def test_broken_images_are_skipped_and_named(pictures):
    samples = [picture.sample for picture in pictures[:12]]
    depth = samples[1].depth.values
    samples[1] = replace(samples[1], depth=DepthMap(torch.zeros_like(depth), metric=True))
    samples[2] = replace(samples[2], depth=DepthMap(depth[:50], metric=True))
    two = torch.zeros(11, dtype=torch.bool)
    two[[0, 1]] = True
    samples[3] = replace(samples[3], annotated=replace(samples[3].annotated, visible=two))
    features = replace(samples[4].features, backbone="other:2")
    samples[4] = replace(samples[4], features=features)

    def corrupt():
        raise ValueError("beast_005.jpg is not a readable image")

    lazy = builders.lazy(samples)
    lazy[5] = LazySample("beast_005", corrupt)
    model, report = build(builders.BEAST, lazy, QUICK, torch.Generator().manual_seed(0))
    reasons = {entry["name"]: entry["reason"] for entry in report["skipped"]}
    assert "invalid" in reasons["beast_001"]
    assert "depth map is of a" in reasons["beast_002"]
    assert "annotated keypoints" in reasons["beast_003"]
    assert "other:2" in reasons["beast_004"]
    assert "not a readable image" in reasons["beast_005"]
    assert report["images"] == 7
    _assert_finite(model)


def test_a_depth_map_of_something_else_is_found_by_its_shape_and_named(pictures):
    samples = [picture.sample for picture in pictures[:20]]
    noise = 0.1 + 3 * torch.rand(120, 160, generator=torch.Generator().manual_seed(0))
    samples[2] = replace(samples[2], depth=DepthMap(noise, metric=True))
    model, report = _build(samples)
    reasons = {entry["name"]: entry["reason"] for entry in report["skipped"]}
    assert "disagree with the other images" in reasons["beast_002"]
    assert shape_error(model.sparse, mean_keypoints()) < 0.08


def test_five_images_work_with_a_warning(pictures):
    model, report = _build([picture.sample for picture in pictures[2:7]])
    assert any("weak statistics" in warning for warning in report["warnings"])
    _assert_finite(model)
    assert shape_error(model.sparse[model.annotated], mean_keypoints()[model.annotated]) < 0.2


def test_fewer_than_two_usable_images_is_an_error_that_says_why(pictures):
    broken = replace(pictures[0].sample, depth=DepthMap(torch.zeros(120, 160), metric=True))
    with pytest.raises(ValueError, match=r"1 of 2 images are usable.*beast_000: the depth map is invalid"):
        _build([broken, pictures[1].sample])


def test_a_keypoint_never_annotated_is_not_seen_and_harms_nothing(pictures):
    samples = []
    for picture in pictures[:10]:
        visible = picture.sample.annotated.visible.clone()
        visible[[3, 4]] = False
        samples.append(replace(picture.sample, annotated=replace(picture.sample.annotated, visible=visible)))
    model, report = _build(samples)
    assert model.annotated.tolist() == [i not in (3, 4) for i in range(11)]
    assert report["keypoints"]["never_annotated"] == ["left front foot", "right front foot"]
    _assert_finite(model)
    assert (model.dense.barycentric[:, [3, 4]] == 0).all()
    assert not torch.isin(model.statistics.edge_pairs.indices, torch.tensor([3, 4])).any()


def test_a_wrong_flip_table_switches_mirroring_off_with_a_note(pictures):
    info = replace(builders.BEAST, flip=(1, 0, 2, 3, 5, 4, 7, 6, 9, 8, 10))
    model, report = _build([picture.sample for picture in pictures[:15]], info)
    assert not report["flip"]["used"]
    assert any("mirrored views are not used" in warning for warning in report["warnings"])
    assert report["views"] == 15
    assert shape_error(model.sparse, mean_keypoints()) < 0.15


def test_mirroring_can_be_switched_off(pictures):
    _, report = _build([picture.sample for picture in pictures[:8]], config=replace(QUICK, mirror=False))
    assert report["views"] == 8
    assert report["flip"]["reason"] == "mirroring is switched off"


def test_progress_grows_to_the_end(pictures):
    stages = []
    _build(
        [picture.sample for picture in pictures[:4]],
        progress=lambda *step: stages.append(step),
    )
    fractions = [done for _, done in stages]
    assert fractions == sorted(fractions)
    assert {"read images", "sparse cloud", "dense cloud"} <= {stage for stage, _ in stages}


def test_two_images_and_three_keypoints_are_the_least_that_works(pictures):
    model, report = _build([pictures[5].sample, pictures[6].sample])
    assert report["images"] == 2
    _assert_finite(model)
    ids = [0, 2, 9]
    few = [picture.sample for picture in pictures[:12]]
    annotated = [
        replace(s.annotated, keypoints=s.annotated.keypoints[ids], visible=s.annotated.visible[ids])
        for s in few
    ]
    info = replace(builders.BEAST, keypoint_names=("nose", "back", "left flank"), flip=None, edges=())
    model, _ = _build([replace(s, annotated=a) for s, a in zip(few, annotated, strict=True)], info)
    assert len(model.statistics.frames.indices) == 0
    _assert_finite(model)


@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_the_unit_of_the_depth_does_not_matter(pictures, unit):
    samples = [picture.sample for picture in pictures[:12]]
    scaled = [replace(s, depth=DepthMap(unit * s.depth.values, metric=False)) for s in samples]
    assert shape_error(_build(scaled)[0].sparse, _build(samples)[0].sparse) < 0.01


def test_coarse_copies_have_prototypes_of_their_own(tmp_path):
    samples = [shot.sample for shot in builders.pictures(6)]
    generator = torch.Generator().manual_seed(3)

    def blurred(features):
        noise = 0.3 * torch.randn(features.values.shape[-1], generator=generator)
        return replace(features, values=torch.nn.functional.normalize(features.values + noise, dim=-1))

    coarse = [replace(one, coarse_features=blurred(one.features)) for one in samples[:4]] + samples[4:]
    plain, both = (_build(each)[0] for each in (samples, coarse))
    assert plain.coarse is None
    assert plain.seen_at(5) is plain
    for name in ("sparse", "shape_modes", "view_rotations"):
        assert torch.equal(getattr(plain, name), getattr(both, name))
    assert torch.equal(plain.dense.barycentric, both.dense.barycentric)
    torch.testing.assert_close(plain.dense.prototypes.features, both.dense.prototypes.features)
    side = both.coarse.side
    small = both.seen_at(side)
    assert both.seen_at(side + 1) is both
    assert (small.dense.prototypes.features - both.dense.prototypes.features).abs().max() > 0.05
    assert (small.sparse_prototypes.features - both.sparse_prototypes.features).abs().max() > 0.05
    path = tmp_path / "beast.safetensors"
    write_class(path, both)
    again = read_class(path).seen_at(side)
    torch.testing.assert_close(
        again.dense.prototypes.features, small.dense.prototypes.features, atol=1e-3, rtol=0
    )
    torch.testing.assert_close(again.sparse_prototypes.facing, both.sparse_prototypes.facing)
    assert again.prototypes.features.shape == both.prototypes_at(side).features.shape


def test_a_class_file_that_lacks_a_part_of_its_coarse_prototypes(tmp_path):
    samples = [shot.sample for shot in builders.pictures(6)]
    both, _ = _build([replace(one, coarse_features=one.features) for one in samples])
    path = tmp_path / "beast.safetensors"
    write_class(path, both)
    tensors, header = read_tensors(path)
    del tensors["coarse.sparse.similarity_std"]
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=r"tensor 'coarse\.sparse\.similarity_std' is missing"):
        read_class(path)
