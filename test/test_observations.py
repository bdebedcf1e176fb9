from dataclasses import replace

import numpy as np
import pytest
import spair_folder
import torch
from PIL import Image

from semcorr_ros.artifacts import CategoryInfo, FeatureMap, Prototypes
from semcorr_ros.datasets import spair71k
from semcorr_ros.depth import sensor
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.masks import MaskProvider, annotation, attention
from semcorr_ros.observations import (
    Providers,
    lone_image,
    observe,
    observe_coarsely,
    observe_mirrored,
)


class Features(FeatureExtractor):
    """The mean color of each cell; knows whether it was asked for a mirrored image."""

    backbone = "color"

    def __init__(self, mirrored=True):
        self.mirrored = mirrored

    def encode(self, ref):
        if ref.mirrored and not self.mirrored:
            raise FileNotFoundError(f"{ref.name}_flip.npz")
        return FeatureMap(ref.image[::10, ::10].float() / 255, tuple(ref.image.shape[:2]), self.backbone)


@pytest.fixture
def sample(tmp_path):
    folder = spair_folder.write_folder(tmp_path)
    name = folder.names[0]
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 10:30] = 9
    spair_folder.save_image(tmp_path / f"Segmentation/chair/{name}.png", mask)
    spair_folder.save_depth_mm(tmp_path / f"Depth/chair/{name}.png", 1000 + np.arange(80)[None].repeat(60, 0))
    spair_folder.write(tmp_path / f"Cameras/chair/{name}.json", {"K": [[70, 0, 30], [0, 70, 29], [0, 0, 1]]})
    return spair71k.build(tmp_path).images("chair", "trn")[0]


def providers(**changes):
    given = {
        "features": Features(),
        "depth": sensor.PLUGIN.make({}, {}),
        "masks": (annotation.PLUGIN.make({}, {}), attention.build(attention.AttentionSettings())),
    }
    return Providers(**(given | changes))


def test_everything_the_data_set_knows_is_observed(sample):
    seen = observe(sample, providers())
    assert seen.image.shape == (60, 80, 3)
    assert seen.features.image_size == (60, 80)
    assert seen.mask.sum() == 400
    assert seen.depth.values[0, 79].item() == pytest.approx(1.079)
    assert seen.camera.principal_point.tolist() == [30, 29]


def test_mirroring_flips_everything_and_encodes_anew(sample):
    seen = observe(sample, providers())
    mirrored = observe_mirrored(sample, seen, providers())
    assert torch.equal(mirrored.image, seen.image.flip(1))
    assert torch.equal(mirrored.mask, seen.mask.flip(1))
    assert mirrored.depth.values[0, 0] == seen.depth.values[0, 79]
    assert mirrored.camera.principal_point.tolist() == [79 - 30, 29]
    assert torch.equal(mirrored.features.values[0, 0], seen.image[0, 79].float() / 255)


def test_without_mirrored_features_there_is_no_mirrored_observation(sample):
    given = providers(features=Features(mirrored=False))
    assert observe_mirrored(sample, observe(sample, given), given) is None


def test_missing_depth_is_an_error_only_when_it_was_asked_for(tmp_path):
    spair_folder.write_folder(tmp_path)
    bare = spair71k.build(tmp_path).images("chair", "trn")[0]
    assert observe(bare, providers(depth_required=False)).depth is None
    assert observe(bare, providers(depth=None)).depth is None
    with pytest.raises(FileNotFoundError):
        observe(bare, providers())


def test_the_first_mask_with_an_answer_wins(tmp_path):
    class Constant(MaskProvider):
        def __init__(self, value):
            self.value = value

        def mask(self, sample, features, prototypes):
            return self.value

    spair_folder.write_folder(tmp_path)
    bare = spair71k.build(tmp_path).images("chair", "trn")[0]
    full = torch.ones(60, 80, dtype=torch.bool)
    seen = observe(bare, providers(depth=None, masks=(Constant(None), Constant(full), Constant(~full))))
    assert seen.mask.all()
    assert observe(bare, providers(depth=None)).mask is None


def test_an_image_of_another_size_than_annotated_is_refused(sample):
    Image.new("RGB", (40, 30)).save(sample.image_path)
    with pytest.raises(ValueError, match="is 40x30 but its annotation says 80x60"):
        observe(sample, providers())


def test_a_lone_image(tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    lone = lone_image(tmp_path / "a.png", "mug")
    assert (lone.name, lone.category, lone.size, lone.bbox) == ("a", "mug", (40, 50), (0, 0, 49, 39))
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        lone_image(tmp_path / "b.png", "mug")
    (tmp_path / "c.png").write_text("no")
    with pytest.raises(ValueError, match=r"c\.png is not a readable image"):
        lone_image(tmp_path / "c.png", "mug")


def test_a_coarse_copy_shows_the_same_places_with_less_detail(sample):
    stripes = torch.zeros(60, 80, 3, dtype=torch.uint8)
    stripes[:, ::2] = 200
    stripes[:, 40:] //= 2  # what is left of it from afar
    features = Features()
    features.from_pixels = True
    given = providers(features=features)
    seen = replace(observe(sample, given), image=stripes)
    coarse = observe_coarsely(sample, seen, given, 5)  # of 20 pixels
    assert coarse.image.shape == stripes.shape
    assert coarse.image.float().std(1).max() < 0.6 * stripes.float().std(1).max()
    left, right = coarse.image[:, 5:35].float().mean(), coarse.image[:, 45:75].float().mean()
    assert left == pytest.approx(100, abs=10)
    assert right == pytest.approx(50, abs=5)
    assert torch.equal(coarse.mask, seen.mask)
    assert not torch.equal(coarse.features.values, seen.features.values)


@pytest.mark.parametrize(("side", "from_pixels"), [(19, True), (40, True), (5, False)])
def test_nothing_coarse_of_what_is_small_or_comes_from_files(sample, side, from_pixels):
    features = Features()
    features.from_pixels = from_pixels
    given = providers(features=features)
    assert observe_coarsely(sample, observe(sample, given), given, side) is None


class Recogniser:
    """A class that was built on features of `channels` channels; notes where it is looked for."""

    backbone, diameter = "", 0.0
    info = CategoryInfo("chair", ("seat",), None)

    def __init__(self, channels):
        self.channels = channels

    def prototypes_at(self, side):
        one = torch.zeros(1)
        return Prototypes(torch.nn.functional.normalize(torch.ones(1, self.channels)), one + 0.9, one + 0.1)


def test_features_of_another_encoder_than_the_class_are_refused(sample):
    with pytest.raises(ValueError, match="features of 3 channels, the class 'chair' was built on 384"):
        observe(sample, providers(), Recogniser(384))


def test_of_several_objects_of_a_picture_the_one_in_its_box_is_observed(sample, tmp_path):
    """Two bright squares; the class resembles both, and the box says which is meant."""
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:30, 10:30] = image[10:30, 50:70] = 255
    spair_folder.save_image(sample.image_path.with_name("two.png"), image)
    two = replace(sample, image_path=sample.image_path.with_name("two.png"), shared="two", depth_path=None)
    attentive = providers(depth=None, masks=(attention.build(attention.AttentionSettings()),))
    for x in (10, 50):
        seen = observe(replace(two, bbox=(x, 10.0, x + 19.0, 29.0)), attentive, Recogniser(3))
        columns = seen.mask.any(0).nonzero()[:, 0]
        assert x - 5 <= int(columns.min())
        assert int(columns.max()) < x + 25
