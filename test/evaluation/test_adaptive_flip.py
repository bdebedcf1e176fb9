"""A source that faces the other way: mirrored first, its keypoints are found."""

import dataclasses

import pytest
import torch
from torch.nn.functional import interpolate

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap, ImagePair
from semcorr_ros.evaluation import adaptive_flip, predict
from semcorr_ros.evaluation.journal import open_journal
from semcorr_ros.evaluation.views import Setup, Views
from semcorr_ros.features import FeatureExtractor, _template
from semcorr_ros.files.picture import read_image
from semcorr_ros.masks import MaskProvider
from semcorr_ros.methods import FAST, nearest_neighbor
from semcorr_ros.observations import Providers
from semcorr_ros.storage import write_image

HEIGHT, WIDTH = 84, 112
PLACES = torch.tensor([[20.0, 20.0], [90.0, 24.0], [52.0, 60.0]])  # a left, a right, a middle one
FLIP = (1, 0, 2)


def mirrored(points):
    return torch.stack([WIDTH - 1 - points[:, 0], points[:, 1]], dim=-1)


class HalfMasks(MaskProvider):
    """The object is at the left of one picture and at the right of the other."""

    def mask(self, sample, seen, model):
        mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
        mask[:, :30] = True
        return mask if sample.name == "a" else mask.flip(1)


@pytest.fixture
def scene(tmp_path):
    """Two pictures of one scene. The second is mirrored, and so are its keypoints and their names."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(1, 3, 4, 5, generator=generator)
    smooth = interpolate(small, size=(HEIGHT, WIDTH), mode="bicubic", align_corners=False).clamp(0, 1)
    picture = (smooth[0].permute(1, 2, 0) * 255).to(torch.uint8)
    points = {"a": PLACES, "b": mirrored(PLACES)[list(FLIP)]}
    samples = {}
    for name, image in (("a", picture), ("b", picture.flip(1))):
        write_image(tmp_path / f"{name}.png", image)
        samples[name] = AnnotatedImage(
            name=name,
            category="thing",
            image_path=tmp_path / f"{name}.png",
            size=(HEIGHT, WIDTH),
            keypoints=points[name],
            visible=torch.ones(3, dtype=torch.bool),
            bbox=(0.0, 0.0, WIDTH - 1.0, HEIGHT - 1.0),
        )
    extractor = _template.build(_template.ThumbnailSettings(layout="unpadded", side=WIDTH))
    model = nearest_neighbor.PLUGIN.load(None, "cpu", FAST)
    return samples, Setup(samples, Providers(extractor), model, flip=FLIP, whole_image=True)


def pair_of(samples, source, target, ids=(0, 1, 2)):
    ids = torch.tensor(ids)
    box = (0.0, 0.0, WIDTH - 1.0, HEIGHT - 1.0)
    return ImagePair(source, target, ids, samples[source].keypoints[ids], samples[target].keypoints[ids], box)


def errors(tmp_path, setup, pair):
    journal = open_journal(tmp_path / "run" / "p.jsonl")
    assert predict.predict({0: pair}, setup, journal) == {}
    return (journal.predictions[0].points - pair.target_keypoints).norm(dim=-1)


@pytest.mark.parametrize("masks", [(), (HalfMasks(),)])
def test_the_mirrored_source_is_taken_where_it_is_nearer(scene, tmp_path, masks):
    samples, setup = scene
    setup = dataclasses.replace(setup, providers=Providers(setup.providers.features, masks=masks))
    pair = pair_of(samples, "a", "b")
    assert errors(tmp_path, setup, pair).max() < 14
    plain = errors(tmp_path / "plain", dataclasses.replace(setup, flip=None), pair)
    assert plain[:2].min() > 40, "left and right are confused"


def test_the_source_itself_is_taken_where_that_is_nearer(scene, tmp_path):
    samples, setup = scene
    pair = pair_of(samples, "a", "a")
    assert errors(tmp_path, setup, pair).max() < 14


def test_a_keypoint_whose_partner_is_hidden_keeps_its_prediction(scene, tmp_path):
    samples, setup = scene
    hidden = dataclasses.replace(samples["a"], visible=torch.tensor([True, False, True]))
    setup = dataclasses.replace(setup, samples=samples | {"a": hidden})
    found = errors(tmp_path, setup, pair_of(samples, "a", "b", ids=(0, 2)))
    assert found[0] > 40
    assert found[1] < 14


def test_without_whole_images_nothing_is_mirrored(scene, tmp_path):
    """Published with features of whole images; ours are of the window around an object."""
    samples, setup = scene
    found = errors(tmp_path, dataclasses.replace(setup, whole_image=False), pair_of(samples, "a", "b"))
    assert found[:2].min() > 40, "left and right are confused"


class OnlyOf(HalfMasks):
    """Knows the object of one picture."""

    def __init__(self, name):
        self.name = name

    def mask(self, sample, seen, model):
        return super().mask(sample, seen, model) if sample.name == self.name else None


@pytest.mark.parametrize("name", ["a", "b"])
def test_one_mask_is_as_good_as_none(scene, tmp_path, name):
    samples, setup = scene
    setup = dataclasses.replace(setup, providers=Providers(setup.providers.features, masks=(OnlyOf(name),)))
    assert errors(tmp_path, setup, pair_of(samples, "a", "b")).max() < 14


@pytest.mark.parametrize(("masks", "confused"), [((), True), ((HalfMasks(),), False)])
def test_with_masks_the_objects_are_compared_and_not_what_is_behind_them(scene, tmp_path, masks, confused):
    """An object at the left, and mirrored at the right; the rest of both pictures is the same."""
    samples, setup = scene
    picture = read_image(samples["a"].image_path)
    other = picture.clone()
    other[:, -30:] = picture[:, :30].flip(1)
    write_image(samples["b"].image_path, other)
    setup = dataclasses.replace(setup, providers=Providers(setup.providers.features, masks=masks))
    points = torch.full((3, 2), -1.0)
    found = adaptive_flip.improve(points, pair_of(samples, "a", "b"), Views(setup, tmp_path / "views"))
    assert torch.equal(found, points) == confused


class Uniform(FeatureExtractor):
    """Everything looks alike, mirrored or not; or no mirrored features are stored."""

    backbone = "fabricated"

    def __init__(self, stored=True):
        self.stored = stored

    def encode(self, ref):
        if ref.mirrored and not self.stored:
            raise FileNotFoundError(ref.name)
        return FeatureMap(torch.ones(6, 8, 1), (HEIGHT, WIDTH), self.backbone)


@pytest.mark.parametrize("masks", [(), (HalfMasks(),)])
@pytest.mark.parametrize("stored", [True, False])
def test_of_equals_the_source_itself_is_taken_and_without_mirrored_features_as_well(
    scene, tmp_path, masks, stored
):
    samples, setup = scene
    setup = dataclasses.replace(setup, providers=Providers(Uniform(stored), masks=masks))
    points = torch.full((3, 2), -1.0)
    found = adaptive_flip.improve(points, pair_of(samples, "a", "b"), Views(setup, tmp_path / "views"))
    assert torch.equal(found, points)


def test_keypoints_whose_partner_is_shown_are_improved_beside_one_whose_is_not(scene, tmp_path):
    """Of two pairs, the partner of one keypoint is hidden: its prediction stays, the others are exchanged."""
    samples, setup = scene
    places = torch.cat([PLACES[:2], torch.tensor([[24.0, 66.0], [86.0, 62.0]])])
    flip, shown = (1, 0, 3, 2), torch.ones(4, dtype=torch.bool)
    keypoints = {"a": places, "b": mirrored(places)[list(flip)]}
    samples = {name: dataclasses.replace(each, keypoints=keypoints[name], visible=shown)
               for name, each in samples.items()}  # fmt: skip
    hidden = dataclasses.replace(samples["a"], visible=torch.tensor([True, False, True, True]))
    setup = dataclasses.replace(setup, samples=samples | {"a": hidden}, flip=flip)
    found = errors(tmp_path, setup, pair_of(samples, "a", "b", ids=(0, 2, 3)))
    assert found[0] > 40
    assert found[1:].max() < 14


def test_an_object_that_only_moved_is_not_mirrored(scene, tmp_path):
    """At the left of one picture and, just as it is, at the right of the other."""
    samples, setup = scene
    picture = read_image(samples["a"].image_path)
    other = picture.clone()
    other[:, -28:] = picture[:, :28]
    write_image(samples["b"].image_path, other)
    setup = dataclasses.replace(setup, providers=Providers(setup.providers.features, masks=(HalfMasks(),)))
    points = torch.full((3, 2), -1.0)
    found = adaptive_flip.improve(points, pair_of(samples, "a", "b"), Views(setup, tmp_path / "views"))
    assert torch.equal(found, points)
