"""The file of pseudo-labels, DIY-SC's, and keypoints as labels."""

import pytest
import torch

from semcorr_ros.adapter.diy_sc import read_diy_sc, write_diy_sc
from semcorr_ros.adapter.keypoint_labels import keypoint_labels
from semcorr_ros.adapter.labels import (
    Labels,
    Matches,
    PictureName,
    find_labels,
    merged,
    only_categories,
    read_labels,
    write_labels,
)
from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.storage import read_tensors, write_tensors

PICTURES = tuple(PictureName("car", name, (375, 500)) for name in ("a", "b", "c"))


def labels(pictures=PICTURES, **provenance):
    first = Matches(0, 1, torch.tensor([[100.0, 50.0], [7.5, 3.25]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    second = Matches(2, 0, torch.tensor([[9.0, 8.0]]), torch.tensor([[7.0, 6.0]]), torch.tensor([0.05]))
    return Labels(pictures, (first, second), provenance or {"split": "trn"})


def same(found, wanted):
    assert [(m.source, m.target) for m in found.matches] == [(m.source, m.target) for m in wanted.matches]
    for one, other in zip(found.matches, wanted.matches, strict=True):
        assert torch.equal(one.source_points, other.source_points)
        assert torch.equal(one.target_points, other.target_points)


def test_a_file_comes_back_and_is_the_same_bytes(tmp_path):
    path = tmp_path / "labels.safetensors"
    write_labels(path, labels())
    found = read_labels(path)
    same(found, labels())
    assert found.pictures == PICTURES
    assert found.provenance == {"split": "trn"}
    assert found.matches[0].errors.isnan().all()
    assert found.matches[1].errors.tolist() == pytest.approx([0.05])
    assert found.count == 3
    before = path.read_bytes()
    write_labels(path, found)
    assert path.read_bytes() == before


def test_no_match_at_all_is_a_file_too(tmp_path):
    write_labels(tmp_path / "none.safetensors", Labels((), ()))
    assert read_labels(tmp_path / "none.safetensors").count == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("pairs", torch.tensor([[0, 1], [2, 3]]), "not listed"),
        ("starts", torch.tensor([0, 2, 4]), "do not fit"),
        ("target_points", torch.full((3, 2), torch.nan), "finite"),
        ("errors", None, "errors"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, value, said):
    path = tmp_path / "labels.safetensors"
    write_labels(path, labels())
    tensors, header = read_tensors(path)
    tensors.pop(name)
    write_tensors(path, tensors | ({} if value is None else {name: value}), header)
    with pytest.raises(ValueError, match=rf"labels\.safetensors is damaged: .*{said}"):
        read_labels(path)


def test_another_file_is_none_of_pseudo_labels(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, {"schema": "other"})
    with pytest.raises(ValueError, match="no file of pseudo-labels"):
        read_labels(tmp_path / "x.safetensors")


def test_a_work_folder_is_all_its_categories(tmp_path):
    mugs = tuple(PictureName("mug", one.name, one.size) for one in PICTURES)
    for name, pictures in (("car", PICTURES), ("mug", mugs)):
        write_labels(tmp_path / name / "pseudo_labels/labels.safetensors", labels(pictures))
    found = find_labels(tmp_path)
    assert found.categories == ("car", "mug")
    assert [(m.source, m.target) for m in found.matches] == [(0, 1), (2, 0), (3, 4), (5, 3)]
    kept = only_categories(found, ["mug"])
    assert [(m.source, m.target) for m in kept.matches] == [(3, 4), (5, 3)]
    with pytest.raises(ValueError, match="not of 'bus', but of car, mug"):
        only_categories(found, ["bus"])
    with pytest.raises(FileNotFoundError, match="holds no"):
        find_labels(tmp_path / "car")


def test_labels_of_different_features_are_not_joined():
    with pytest.raises(ValueError, match="backbone 'tiny:1' and 'tiny:2'"):
        merged([labels(backbone="tiny:1"), labels(backbone="tiny:2")])


def test_the_same_picture_of_two_files_is_one():
    found = merged([labels(), labels()])
    assert found.pictures == PICTURES
    assert len(found.matches) == 4


def test_diy_sc_gets_corners_of_patches_and_gives_their_centres(tmp_path):
    (path,) = write_diy_sc(tmp_path, labels())
    assert path.name == "car_anns.pt"
    first = torch.load(path, weights_only=True)[0]
    # 500 x 375 on 840: 1.68 times as large, 105 below the top; (100, 50) is at (168, 189).
    assert first["source_kps"][0] == [168, 182]
    assert first["src_imname"] == "a.jpg"
    assert first["src_imsize"] == [500, 375]
    assert (first["num_kps"], first["img_size_kps"]) == (2, 840)
    found = read_diy_sc(path)
    assert found.pictures == PICTURES
    wanted = ((168 + 7) / 1.68, (182 + 7 - 105) / 1.68)
    assert found.matches[0].source_points[0].tolist() == pytest.approx(wanted, abs=1e-4)
    for one, other in zip(found.matches, labels().matches, strict=True):
        assert (one.source_points - other.source_points).abs().max() <= 7 / 1.68 + 1e-4


@pytest.mark.parametrize(
    ("change", "said"),
    [({"flip": True}, "mirrored"), ({"img_size_kps": 512}, "512"), ({"target_kps": []}, "0")],
)
def test_what_diy_sc_says_otherwise_is_refused(tmp_path, change, said):
    (path,) = write_diy_sc(tmp_path, labels())
    entries = torch.load(path, weights_only=True)
    torch.save([entries[0] | change], path)
    with pytest.raises(ValueError, match=said):
        read_diy_sc(path)
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match="safe to load"):
        read_diy_sc(path)


INFO = CategoryInfo("ball", ("nose", "left", "right", "top"), (0, 2, 1, 3))


def sample(name, visible, tmp_path):
    points = torch.tensor([[10.0, 20.0], [5.0, 21.0], [15.0, 22.0], [11.0, 2.0]])
    shown = torch.tensor(visible)
    return AnnotatedImage(name, "ball", tmp_path, (30, 40), points, shown, (0.0, 0.0, 20.0, 25.0))


def test_pictures_are_paired_by_the_keypoints_that_both_show(tmp_path):
    shown = ([True, True, True, True], [True, False, True, True], [True, True, False, False])
    samples = [sample(name, one, tmp_path) for name, one in zip("abc", shown, strict=True)]
    found = keypoint_labels(samples, INFO, None, torch.Generator())
    pairs = [one for one in found.matches if not one.mirrored]
    assert [(one.source, one.target, len(one)) for one in pairs] == [(0, 1, 3)], "the others share two"
    assert pairs[0].source_points.tolist() == samples[0].keypoints[[0, 2, 3]].tolist()


def test_a_picture_is_its_own_mirror_image_with_sides_swapped(tmp_path):
    found = keypoint_labels([sample("a", [True] * 4, tmp_path)], INFO, None, torch.Generator())
    (own,) = found.matches
    assert own.mirrored
    assert own.source_points[1].tolist() == [5.0, 21.0]
    # The left one is found where the right one was, in the mirrored picture of width 40.
    assert own.target_points[1].tolist() == [40 - 1 - 15.0, 22.0]
    unknown = CategoryInfo("ball", INFO.keypoint_names, None)
    assert not keypoint_labels([sample("a", [True] * 4, tmp_path)], unknown, None, torch.Generator()).matches


def test_a_subset_of_pairs_is_drawn(tmp_path):
    samples = [sample(name, [True] * 4, tmp_path) for name in "abcdef"]
    draws = torch.Generator().manual_seed(1)
    found = keypoint_labels(samples, INFO, 4, draws)
    assert sum(not one.mirrored for one in found.matches) == 4
