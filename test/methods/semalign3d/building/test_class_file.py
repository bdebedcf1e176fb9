import dataclasses

import pytest
import torch

from semcorr_ros.artifacts import CategoryInfo, Prototypes
from semcorr_ros.methods.semalign3d.artifacts import (
    BetaFamily,
    BetaStatistics,
    ClassRepresentation,
    Coarse,
    DenseCloud,
)
from semcorr_ros.methods.semalign3d.class_file import read_class, write_class
from semcorr_ros.storage import read_tensors, write_tensors


def _prototypes(count: int, channels: int) -> Prototypes:
    features = torch.nn.functional.normalize(torch.randn(count, channels), dim=-1)
    return Prototypes(features, torch.rand(count), torch.rand(count) + 0.02, torch.rand(count, 3))


def _family(combinations: int, measures: int, keypoints: int) -> BetaFamily:
    indices = torch.randint(keypoints, (combinations, 4))
    return BetaFamily(indices, torch.rand(combinations, measures) + 1, torch.rand(combinations, measures) + 1)


def _class(
    keypoints: int = 6, points: int = 20, channels: int = 8, combinations: int = 9
) -> ClassRepresentation:
    torch.manual_seed(0)
    names = tuple(f"part {i}" for i in range(keypoints))
    return ClassRepresentation(
        info=CategoryInfo("kettle", names, tuple(range(keypoints))[::-1], flat=True, edges=((0, 1), (2, 3))),
        sparse=torch.randn(keypoints, 3),
        annotated=torch.ones(keypoints, dtype=torch.bool),
        sparse_prototypes=_prototypes(keypoints, channels),
        dense=DenseCloud(torch.rand(points, keypoints), torch.rand(points), _prototypes(points, channels)),
        statistics=BetaStatistics(_family(combinations, 2, keypoints), _family(combinations, 3, keypoints)),
        shape_modes=torch.randn(3, keypoints, 3),
        view_rotations=torch.eye(3).repeat(4, 1, 1),
        metric_scale=0.25,
        backbone="tiny:abc",
        provenance={"licence": "CC0"},
    )


def _assert_equal(first: object, second: object, tolerance: float) -> None:
    for field in dataclasses.fields(first):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if dataclasses.is_dataclass(a):
            _assert_equal(a, b, tolerance)
        elif isinstance(a, torch.Tensor):
            assert torch.allclose(a.float(), b.float(), atol=tolerance), field.name
        else:
            assert a == b, field.name


def test_round_trip_keeps_everything(tmp_path):
    model = _class()
    write_class(tmp_path / "kettle.safetensors", model)
    _assert_equal(model, read_class(tmp_path / "kettle.safetensors"), 1e-3)


def test_same_class_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_class(tmp_path / f"{name}.safetensors", _class())
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_thirty_keypoints_stay_under_ten_megabytes(tmp_path):
    write_class(
        tmp_path / "big.safetensors", _class(keypoints=30, points=1000, channels=768, combinations=4000)
    )
    assert (tmp_path / "big.safetensors").stat().st_size < 10e6


def test_truncated_corrupted_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "kettle.safetensors"
    write_class(path, _class())
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"PK\x03\x04" + whole):
        path.write_bytes(damage)
        with pytest.raises(ValueError, match=r"kettle\.safetensors"):
            read_class(path)
    write_tensors(path, {"weight": torch.zeros(3)}, {"schema": "semcorr_ros.tiny"})
    with pytest.raises(ValueError, match="not a class file"):
        read_class(path)
    with pytest.raises(FileNotFoundError):
        read_class(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(
    ("tensors", "header", "message"),
    [
        ({}, {"version": 99}, "version 99"),
        ({"sparse": torch.zeros(5, 3)}, {}, "shape"),
        ({"sparse": torch.full((6, 3), torch.nan)}, {}, "not finite"),
        ({"frames.indices": torch.full((9, 4), 6, dtype=torch.int16)}, {}, "outside the 6 keypoints"),
        ({}, {"flip": 3}, "header"),
        ({}, {"keypoint_names": ["one"]}, "1 names for 6 keypoints"),
    ],
)
def test_inconsistent_content_is_an_error_that_says_what(tmp_path, tensors, header, message):
    path = tmp_path / "kettle.safetensors"
    write_class(path, _class())
    old_tensors, old_header = read_tensors(path)
    write_tensors(path, old_tensors | tensors, old_header | header)
    with pytest.raises(ValueError, match=message):
        read_class(path)


def test_a_missing_tensor_is_named(tmp_path):
    path = tmp_path / "kettle.safetensors"
    write_class(path, _class())
    tensors, header = read_tensors(path)
    del tensors["dense.weight"]
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=r"dense\.weight"):
        read_class(path)


def test_a_class_learned_from_coarse_copies_keeps_them(tmp_path):
    model = _class()
    sparse, dense = _prototypes(6, 8), _prototypes(20, 8)
    shared = dataclasses.replace(sparse, facing=model.sparse_prototypes.facing)
    shared_dense = dataclasses.replace(dense, facing=model.dense.prototypes.facing)
    small = dataclasses.replace(model, coarse=Coarse(80, shared, shared_dense))
    write_class(tmp_path / "kettle.safetensors", small)
    again = read_class(tmp_path / "kettle.safetensors")
    _assert_equal(small, again, 1e-3)
    assert again.coarse.side == 80
    for side, expected in ((200.0, model.sparse_prototypes), (81.0, model.sparse_prototypes), (80.0, shared)):
        seen = again.seen_at(side)
        assert torch.allclose(seen.sparse_prototypes.features, expected.features, atol=1e-3)
        assert (seen is again) == (side > 80)
    tensors, header = read_tensors(tmp_path / "kettle.safetensors")
    assert "coarse.sparse.facing" not in tensors
    del tensors["coarse.dense.similarity_std"]
    write_tensors(tmp_path / "kettle.safetensors", tensors, header)
    with pytest.raises(ValueError, match=r"coarse\.dense\.similarity_std' is missing"):
        read_class(tmp_path / "kettle.safetensors")


def test_a_class_that_faces_anywhere_is_written_with_no_direction(tmp_path):
    model = _class()
    nowhere = dataclasses.replace(model.sparse_prototypes, facing=None)
    write_class(tmp_path / "kettle.safetensors", dataclasses.replace(model, sparse_prototypes=nowhere))
    again = read_class(tmp_path / "kettle.safetensors")
    assert again.sparse_prototypes.facing.abs().max() == 0
    assert torch.allclose(again.sparse_prototypes.features.norm(dim=-1), torch.ones(6))


def test_the_largest_class_that_is_read(tmp_path):
    path = tmp_path / "kettle.safetensors"
    for keypoints, points, wrong in ((1000, 3, ""), (1001, 3, "1001 keypoints, at most 1000"),
                                     (4, 100_001, "100001 points, at most 100000")):  # fmt: skip
        write_class(path, _class(keypoints, points, channels=2))
        if wrong:
            with pytest.raises(ValueError, match=wrong):
                read_class(path)
        else:
            assert len(read_class(path).sparse) == keypoints


@pytest.mark.parametrize("index", [-1, 6])
@pytest.mark.parametrize("family", ["edge_pairs", "frames"])
def test_combinations_of_keypoints_that_are_not_there(tmp_path, index, family):
    path = tmp_path / "kettle.safetensors"
    write_class(path, _class())
    tensors, header = read_tensors(path)
    tensors[f"{family}.indices"][3, 2] = 5
    write_tensors(path, tensors, header)
    assert int(getattr(read_class(path).statistics, family).indices[3, 2]) == 5
    tensors[f"{family}.indices"][3, 2] = index
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=f"{family}.indices points outside the 6 keypoints"):
        read_class(path)


def test_a_class_knows_its_size_and_its_tables():
    model = _class()
    surface = model.dense.barycentric @ model.sparse
    extent = surface.amax(0) - surface.amin(0)
    assert model.diameter == pytest.approx(0.25 * float(extent.norm()))
    some = dataclasses.replace(model, annotated=torch.arange(6) < 4)
    table = some.prototypes
    assert len(table.features) == 24
    assert torch.equal(table.similarity_std[4:], model.dense.prototypes.similarity_std)
    assert torch.equal(table.similarity_mean[:4], model.sparse_prototypes.similarity_mean[:4])
    assert table.facing is None
    assert model.surface_measured
    assert not dataclasses.replace(model, provenance={"depth": "keypoints"}).surface_measured
    assert dataclasses.replace(model, info=dataclasses.replace(model.info, symmetric=True)).telling is None
