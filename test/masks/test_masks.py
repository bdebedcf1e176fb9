import numpy as np
import pytest
import spair_folder
import torch
from PIL import Image

from semcorr_ros.artifacts import DepthMap, FeatureMap, Prototypes
from semcorr_ros.datasets import spair71k
from semcorr_ros.masks import annotation, attention, depth_cutoff, precomputed

FEATURES = FeatureMap(torch.zeros(1, 1, 1), (60, 80), "none")


def sample_of(tmp_path, category="chair", index=None):
    folder = spair_folder.write_folder(tmp_path, category)
    if index is not None:
        spair_folder.save_image(tmp_path / f"Segmentation/{category}/{folder.names[0]}.png", index)
    return spair71k.build(tmp_path).images(category, "trn")[0]


def index_image(*values):
    index = np.zeros((60, 80), np.uint8)
    for i, value in enumerate(values):
        index[10 * i : 10 * i + 5] = value
    return index


def annotated(sample):
    return annotation.build(annotation.Config()).mask(sample, FEATURES, None)


def test_only_the_class_id_counts_for_a_voc_category(tmp_path):
    index = index_image(9, 15, 255)
    np.testing.assert_array_equal(annotated(sample_of(tmp_path, "chair", index)), index == 9)


def test_any_label_but_void_counts_for_another_category(tmp_path):
    index = index_image(1, 15, 255)
    np.testing.assert_array_equal(annotated(sample_of(tmp_path, "mug", index)), (index > 0) & (index < 255))


def test_a_black_and_white_mask_of_another_category(tmp_path):
    index = index_image(255)
    np.testing.assert_array_equal(annotated(sample_of(tmp_path, "mug", index)), index == 255)


def test_annotation_without_a_file_or_with_a_useless_one(tmp_path):
    assert annotated(sample_of(tmp_path / "a")) is None
    with pytest.raises(ValueError, match=r"no pixel of 'chair'.*holds 0, 15"):
        annotated(sample_of(tmp_path / "b", "chair", index_image(15)))
    with pytest.raises(ValueError, match="40x30 but its image is 80x60"):
        annotated(sample_of(tmp_path / "c", "chair", np.full((30, 40), 9, np.uint8)))


def test_palette_images_are_read_as_indices(tmp_path):
    sample = sample_of(tmp_path, "chair", index_image(9))
    image = Image.fromarray(index_image(9), mode="P")
    image.putpalette([200, 10, 10] * 256)
    image.save(sample.mask_path)
    assert annotated(sample).sum() == 400


def test_precomputed_threshold_is_above_127(tmp_path):
    sample = sample_of(tmp_path / "data")
    provider = precomputed.build(precomputed.Config(tmp_path))
    assert provider.mask(sample, FEATURES, None) is None
    values = index_image(127, 128, 255)
    spair_folder.save_image(tmp_path / "chair" / f"{sample.name}.png", values)
    np.testing.assert_array_equal(provider.mask(sample, FEATURES, None), values > 127)
    spair_folder.save_image(tmp_path / "chair" / f"{sample.name}.png", index_image(100))
    with pytest.raises(ValueError, match="empty"):
        provider.mask(sample, FEATURES, None)


def prototypes():
    return Prototypes(torch.eye(3)[:2], torch.tensor([0.9, 0.9]), torch.tensor([0.05, 0.0]))


def feature_map(cells):
    """A 12x16 map over a 48x64 image; `cells` lists (rows, columns, feature)."""
    values = torch.zeros(12, 16, 3)
    values[..., 2] = 1
    for rows, columns, feature in cells:
        values[rows, columns] = torch.tensor(feature)
    return FeatureMap(torch.nn.functional.normalize(values, dim=-1), (48, 64), "fabricated")


def test_attention_keeps_what_resembles_the_class():
    seen = feature_map([(slice(2, 6), slice(4, 12), [1.0, 0, 0]), (slice(6, 9), slice(4, 12), [0.0, 1, 0])])
    mask = attention.attention_mask(seen, prototypes())
    wanted = torch.zeros(48, 64, dtype=torch.bool)
    wanted[8:36, 16:48] = True
    assert mask.shape == (48, 64)
    assert (mask & wanted).sum() / (mask | wanted).sum() > 0.95


def test_attention_thresholds_each_prototype_by_its_own_spread():
    weak = [0.87, 0.0, (1 - 0.87**2) ** 0.5]  # within one std of prototype 0
    weak_other = [0.0, 0.87, (1 - 0.87**2) ** 0.5]  # more than one (floored) std below prototype 1
    assert attention.attention_mask(feature_map([(slice(2, 6), slice(2, 6), weak)]), prototypes()).any()
    assert not attention.attention_mask(
        feature_map([(slice(2, 6), slice(2, 6), weak_other)]), prototypes()
    ).any()


def test_attention_drops_specks_and_fills_holes():
    seen = feature_map(
        [
            (slice(2, 9), slice(2, 10), [1.0, 0, 0]),
            (slice(5, 6), slice(5, 6), [0.0, 0, 1]),
            (slice(11, 12), slice(15, 16), [1.0, 0, 0]),
        ]
    )
    mask = attention.attention_mask(seen, prototypes())
    assert mask[22, 22]
    assert not mask[44:, 58:].any()


def test_attention_says_nothing_without_prototypes_or_resemblance(tmp_path):
    provider = attention.build(attention.Config())
    sample = sample_of(tmp_path)
    assert provider.mask(sample, feature_map([]), None) is None
    assert provider.mask(sample, feature_map([]), prototypes()) is None


def test_depth_cutoff_finds_the_object_in_front():
    depth = torch.full((60, 80), 3.0)
    depth[20:40, 30:50] = 1.0 + 0.01 * torch.arange(20)
    depth[0:5, 0:5] = 0.5  # near, but outside the box
    depth[25, 35] = 0
    mask = depth_cutoff.depth_cutoff_mask(DepthMap(depth, True), (10, 10, 70, 50))
    assert mask.sum() == 399
    assert mask[20:40, 30:50].sum() == 399
    nothing = depth_cutoff.depth_cutoff_mask(DepthMap(depth, True), (10, 10, 70, 50), near=0.2, far=0.9)
    assert not nothing.any()


def test_depth_cutoff_reads_the_sensor(tmp_path):
    sample = sample_of(tmp_path)
    provider = depth_cutoff.build(depth_cutoff.Config(far=1.0))
    assert provider.mask(sample, FEATURES, None) is None
    millimeters = np.full((60, 80), 2000)
    millimeters[20:30, 20:30] = 800
    spair_folder.save_depth_mm(tmp_path / f"Depth/chair/{sample.name}.png", millimeters)
    sample = spair71k.build(tmp_path).images("chair", "trn")[0]
    assert provider.mask(sample, FEATURES, None).sum() == 100
