import dataclasses

import numpy as np
import pytest
import torch

from semcorr_lab.training.rendered_samples import Request, fill_cache, read_sample, sample_rng
from semcorr_lab.training.tiny_classes import class_codebook

pytest.importorskip("embreex")


@pytest.fixture(scope="module")
def codebook():
    return class_codebook(("mug",), seed=0)


@pytest.fixture(scope="module")
def request_and_sample(tmp_path_factory, codebook):
    asked = Request("mug", "unseen", 0, 5, tmp_path_factory.mktemp("cache"))
    assert list(fill_cache([asked], workers=1)) == [asked.path]
    return asked, read_sample(asked.path, "mug", codebook.codes["mug"].mean.names)


def test_maps_keypoints_and_boxes_agree(request_and_sample):
    _, sample = request_and_sample
    inside = sample.name >= 0
    assert inside.any()
    assert (sample.local[inside].abs() <= 1.25).all()
    rows, columns = inside.nonzero().T
    x1, y1, x2, y2 = sample.bbox
    assert 2 * columns.min() >= x1 - 2
    assert 2 * columns.max() <= x2
    assert 2 * rows.min() >= y1 - 2
    assert 2 * rows.max() <= y2
    assert len(sample.keypoints) == len(sample.visible) == len(sample.keypoint_name)


def test_visible_keypoints_have_the_coordinate_of_their_pixel(request_and_sample, codebook):
    _, sample = request_and_sample
    assert sample.visible.any()
    columns, rows = (sample.keypoints[sample.visible] / 2).round().long().clamp_min(3).T
    near = []
    for r, c, place in zip(rows, columns, sample.keypoint_local[sample.visible], strict=True):
        around = sample.local[r - 3 : r + 4, c - 3 : c + 4].float()
        near.append((around - place).norm(dim=-1).min())
    assert torch.stack(near).median() < 0.3


def test_cached_files_are_not_rendered_again(request_and_sample):
    asked, _ = request_and_sample
    before = asked.path.stat().st_mtime_ns
    assert list(fill_cache([asked], workers=1)) == [asked.path]
    assert asked.path.stat().st_mtime_ns == before


def test_damaged_file_is_named(request_and_sample, tmp_path):
    asked, _ = request_and_sample
    broken = dataclasses.replace(asked, folder=tmp_path)
    broken.path.parent.mkdir(parents=True)
    broken.path.write_bytes(asked.path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"00000\.npz is damaged"):
        read_sample(broken.path, "mug", ("body",))


def test_streams_differ_by_split_index_and_seed():
    first = sample_rng("mug", "train", 0, 0).random(4)
    assert np.array_equal(first, sample_rng("mug", "train", 0, 0).random(4))
    for other in (
        ("mug", "unseen", 0, 0),
        ("car", "train", 0, 0),
        ("mug", "train", 1, 0),
        ("mug", "train", 0, 1),
    ):
        assert not np.array_equal(first, sample_rng(*other).random(4))


def test_unknown_category_is_named():
    with pytest.raises(ValueError, match=r"'boat'.*mug"):
        class_codebook(("boat",), 0)
