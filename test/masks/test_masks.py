from dataclasses import replace

import numpy as np
import pytest
import spair_folder
import torch
from methods.semalign3d.alignment import fabricated
from PIL import Image

from semcorr_ros.artifacts import DepthMap, FeatureMap, Observation, Prototypes
from semcorr_ros.datasets import spair71k
from semcorr_ros.masks import annotation, attention, depth_cutoff, precomputed

FEATURES = FeatureMap(torch.zeros(1, 1, 1), (60, 80), "none")
SEEN = Observation(torch.zeros(60, 80, 3, dtype=torch.uint8), FEATURES)


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
    return annotation.PLUGIN.make({}, {}).mask(sample, SEEN, None)


def test_only_the_class_id_counts_for_a_voc_category(tmp_path):
    index = index_image(9, 15, 255)
    np.testing.assert_array_equal(annotated(sample_of(tmp_path, "chair", index)), index == 9)


def test_any_label_but_void_counts_for_another_category(tmp_path):
    index = index_image(1, 15, 255)
    np.testing.assert_array_equal(annotated(sample_of(tmp_path, "mug", index)), (index > 0) & (index < 255))


@pytest.mark.parametrize("category", ["mug", *annotation.VOC_CLASS_ID])
@pytest.mark.parametrize("white", [1, 255])
def test_a_black_and_white_mask_of_any_category(category, white, tmp_path):
    index = index_image(white)
    np.testing.assert_array_equal(annotated(sample_of(tmp_path, category, index)), index > 0)


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
    provider = precomputed.build(precomputed.PrecomputedMasksSettings(tmp_path))
    assert provider.mask(sample, SEEN, None) is None
    values = index_image(127, 128, 255)
    spair_folder.save_image(tmp_path / "chair" / f"{sample.name}.png", values)
    np.testing.assert_array_equal(provider.mask(sample, SEEN, None), values > 127)
    spair_folder.save_image(tmp_path / "chair" / f"{sample.name}.png", index_image(0))
    with pytest.raises(ValueError, match="empty"):
        provider.mask(sample, SEEN, None)


def prototypes(mean=0.9, std=0.05):
    """A class of two parts: the first and the second axis."""
    return Prototypes(torch.eye(8)[:2], torch.full((2,), mean), torch.full((2,), std))


def feature_map(cells, noise=0.15, shape=(24, 32)):
    """A map over a 96x128 image; `cells` lists (rows, columns, axis), the rest is axes 4 and 5."""
    generator = torch.Generator().manual_seed(0)
    values = noise * torch.randn(*shape, 8, generator=generator)
    values[:, : shape[1] // 2, 4] += 1
    values[:, shape[1] // 2 :, 5] += 1
    for rows, columns, axis in cells:
        part = values[rows, columns]
        part[:] = noise * torch.randn(part.shape, generator=generator)
        part[..., axis] += 1
    return FeatureMap(torch.nn.functional.normalize(values, dim=-1), (96, 128), "fabricated")


def overlap(mask, rows, columns):
    wanted = torch.zeros_like(mask)
    wanted[rows, columns] = True
    return float((mask & wanted).sum() / (mask | wanted).sum())


TWO_PARTS = [(slice(6, 12), slice(8, 20), 0), (slice(12, 18), slice(8, 20), 1)]


def test_attention_keeps_what_resembles_the_class():
    mask = attention.attention_mask(feature_map(TWO_PARTS), prototypes())
    assert mask.shape == (96, 128)
    assert overlap(mask, slice(24, 72), slice(32, 80)) > 0.95


def test_a_loose_prototype_does_not_claim_the_background():
    """One that resembles the background, but less than that resembles itself."""
    axis = torch.nn.functional.normalize(torch.tensor([[0.8, 0, 0, 0, 0.6, 0.6, 0, 0]]), dim=-1)
    loose = Prototypes(torch.cat([torch.eye(8)[:2], axis]), torch.full((3,), 0.8), torch.full((3,), 0.3))
    mask = attention.attention_mask(feature_map(TWO_PARTS), loose)
    assert overlap(mask, slice(24, 72), slice(32, 80)) > 0.9


def test_prototypes_that_are_half_background_do_not_count():
    """As thin parts leave them: most of the table accepts every background cell."""
    half = torch.zeros(5, 8)
    half[:, 0], half[:, 4:] = 0.4, 0.5
    features = torch.nn.functional.normalize(torch.cat([torch.eye(8)[:2], half]), dim=-1)
    table = Prototypes(features, torch.tensor([0.9, 0.9] + 5 * [0.4]), torch.tensor([0.1, 0.1] + 5 * [0.2]))
    mask = attention.attention_mask(feature_map(TWO_PARTS), table)
    assert overlap(mask, slice(24, 72), slice(32, 80)) > 0.9


def test_an_object_cut_off_by_the_border_is_not_taken_for_background():
    mask = attention.attention_mask(feature_map([(slice(10, 24), slice(0, 14), 0)]), prototypes())
    assert overlap(mask, slice(40, 96), slice(0, 56)) > 0.9


def test_an_object_that_fills_the_image():
    mask = attention.attention_mask(feature_map([(slice(0, 24), slice(0, 32), 0)]), prototypes())
    assert mask.float().mean() > 0.9


def test_attention_drops_specks():
    speck = (slice(2, 4), slice(28, 30), 0)
    mask = attention.attention_mask(feature_map([*TWO_PARTS, speck]), prototypes())
    assert mask[40, 60]
    assert not mask[:20, 104:].any()
    both = attention.attention_mask(
        feature_map([*TWO_PARTS, speck]), prototypes(), attention.AttentionSettings(keep=0.0)
    )
    assert both[12, 116]


def test_attention_of_what_is_less_similar_than_the_training_samples_is_empty():
    features = feature_map(TWO_PARTS, noise=0.4)
    assert not attention.attention_mask(features, prototypes(mean=0.95, std=0.02)).any()
    assert attention.attention_mask(features, prototypes(mean=0.7, std=0.1)).any()
    assert not attention.attention_mask(feature_map([]), prototypes()).any()


def test_attention_is_the_same_each_time():
    masks = [attention.attention_mask(feature_map(TWO_PARTS), prototypes()) for _ in range(2)]
    assert torch.equal(*masks)


def test_attention_says_nothing_without_a_class_or_resemblance(tmp_path):
    provider = attention.build(attention.AttentionSettings())
    sample = sample_of(tmp_path)
    model = fabricated.make_class()
    observed, _ = fabricated.observe(model, 30, 20)
    seen = replace(observed, mask=None)
    nothing = replace(seen.features, values=seen.features.values[:1, :1].expand(*fabricated.SIZE, -1))
    assert provider.mask(sample, seen, None) is None
    assert provider.mask(sample, replace(seen, features=nothing), model) is None
    found = provider.mask(sample, seen, model)
    assert (found & observed.mask).sum() > 0.8 * (found | observed.mask).sum()


def test_prototypes_are_those_of_seen_keypoints_and_of_the_surface():
    model = fabricated.make_class()
    model.annotated[3] = False
    table = model.prototypes
    assert len(table.features) == len(table.similarity_mean) == len(model.sparse) - 1 + 400
    assert torch.equal(table.features[3], model.sparse_prototypes.features[4])


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


def test_depth_cutoff_needs_depth(tmp_path):
    sample = sample_of(tmp_path)
    provider = depth_cutoff.build(depth_cutoff.DepthCutoffSettings(far=1.0))
    assert provider.mask(sample, SEEN, None) is None
    depth = torch.full((60, 80), 2.0)
    depth[20:30, 20:30] = 0.8
    assert provider.mask(sample, replace(SEEN, depth=DepthMap(depth, True)), None).sum() == 100
