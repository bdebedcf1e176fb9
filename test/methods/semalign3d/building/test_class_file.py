import dataclasses

import pytest
import torch

from semcorr_ros.artifacts import CategoryInfo, Prototypes
from semcorr_ros.methods.semalign3d.artifacts import (
    BetaFamily,
    BetaStatistics,
    ClassRepresentation,
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
