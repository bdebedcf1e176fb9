"""What is wrong with the annotations is said in words, with what to do."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from benchmark.structure.views import scene
from semcorr_ros.depth import keypoints
from semcorr_ros.structure import lift as lifting
from semcorr_ros.structure.config import LiftConfig
from semcorr_ros.structure.describe import warnings
from semcorr_ros.structure.sightings import collect


def _prepare(truth, images=None, info=None, **config):
    provider = keypoints.build(keypoints.KeypointDepthSettings(**config))
    generator = torch.Generator().manual_seed(0)
    return provider.prepare(images or truth.images, info or truth.info, generator)


def _changed(image, keypoints_):
    visible = image.visible & torch.isfinite(keypoints_).all(-1)
    return replace(image, keypoints=keypoints_, visible=visible)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """What is said is looked at, not how exact the shape is."""
    monkeypatch.setattr(keypoints, "LiftConfig", partial(LiftConfig, starts=6, kept=2, steps=10, rounds=1))


@pytest.fixture(scope="module")
def mugs():
    return scene("mug", 12, 1)


def test_too_few_images_are_an_error_that_says_how_many(mugs):
    with pytest.raises(ValueError, match=r"at least 4 images .* 3 of 3 are usable.*--depth-dir"):
        _prepare(mugs, mugs.images[:3])


def test_few_images_are_a_warning(mugs):
    told = _prepare(mugs, mugs.images[:6]).warnings
    assert any("6 images is a guess" in one for one in told)


def test_images_that_are_of_no_use_are_refused_by_name(mugs):
    first, second, third, *rest = mugs.images
    nothing = _changed(first, torch.full_like(first.keypoints, torch.nan))
    outside = _changed(second, second.keypoints + 5000)
    one_place = _changed(third, torch.full_like(third.keypoints, 50.0))
    found = collect([nothing, outside, one_place, *rest], mugs.info, 1.5)
    assert [image.name for image in found.images] == [image.name for image in rest]
    assert "0 annotated keypoints" in found.refused[first.name]
    assert "0 annotated keypoints" in found.refused[second.name]
    assert "within 0.0 pixels" in found.refused[third.name]
    prepared = _prepare(mugs, [nothing, *rest])
    with pytest.raises(ValueError, match="0 annotated keypoints"):
        prepared.depth.depth(nothing)


def test_a_keypoint_seen_once_is_left_out_and_named(mugs):
    index = mugs.info.keypoint_names.index("inside_bottom")
    images = []
    for i, image in enumerate(mugs.images):
        points = image.keypoints.clone()
        points[index] = torch.tensor([300.0, 200.0]) if i == 0 else torch.nan
        images.append(replace(image, keypoints=points, visible=torch.isfinite(points).all(-1)))
    told = _prepare(mugs, images).warnings
    assert any("left out: inside_bottom" in one for one in told)


def test_images_from_one_side_are_told():
    told = _prepare(scene("car", 12, 0, turn=8)).warnings
    assert any("nearly the same side" in one for one in told)
    assert not any("nearly the same side" in one for one in _prepare(scene("car", 12, 0)).warnings)


def test_keypoints_in_one_plane_and_on_one_line_are_told(mugs):
    names = mugs.info.keypoint_names
    generator = torch.Generator().manual_seed(3)
    flat = torch.randn(len(names), 3, generator=generator) * torch.tensor([1.0, 1.0, 0.0])
    line = torch.randn(len(names), 1, generator=generator) * torch.tensor([1.0, 0.5, 0.2])
    for shape, word in ((flat, "one plane"), (line, "one line")):
        images = []
        for i, image in enumerate(mugs.images):
            turn = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
            pixels = 60 * shape @ turn[:2].T + torch.tensor([320.0, 240.0]) + i
            images.append(replace(image, keypoints=pixels, visible=torch.ones(len(names), dtype=torch.bool)))
        told = _prepare(mugs, images, replace(mugs.info, flip=None)).warnings
        assert any(word in one for one in told), (word, told)


def test_a_reversal_that_pictures_do_not_decide_asks_for_a_sentence():
    truth = scene("tvmonitor", 8, 0, turn=15)
    prepared = _prepare(truth)
    assert not prepared.facts["reversal_clear"]
    assert any("--nearer A B" in one for one in prepared.warnings)


def test_a_sentence_decides_and_its_opposite_decides_otherwise(mugs):
    depths = []
    truth = mugs.points[..., 2]
    a, b = (mugs.info.keypoint_names.index(name) for name in ("rim_front", "handle_outer"))
    view = int((truth[:, b] - truth[:, a]).argmax())
    image = mugs.images[view].name
    for pair in (("rim_front", "handle_outer"), ("handle_outer", "rim_front")):
        prepared = _prepare(mugs, nearer=((*pair, image),))
        assert prepared.facts["reversal_decided_by"] == "nearer"
        depths.append(prepared.facts["margin"])
        overruled = any("overrules the pictures" in one for one in prepared.warnings)
        assert overruled == (pair[0] == "handle_outer")
    assert depths[0] > 0 > depths[1]


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (("rim_front",), "A B .IMAGE."),
        (("rim_front", "lid"), "no keypoint 'lid'.*rim_front"),
        (("rim_front", "rim_front"), "nearer than itself"),
        (("rim_front", "rim_back", "mug_999"), "no image 'mug_999'.*mug_000"),
    ],
)
def test_a_sentence_that_names_nothing_is_an_error(mugs, sentence, message):
    with pytest.raises(ValueError, match=message):
        _prepare(mugs, nearer=(sentence,))


def test_keypoints_on_a_line_in_every_image_are_told(mugs):
    """The same line in all of them: the lift bends it, so that its shape alone looks like a plane."""
    images = []
    for image in mugs.images:
        along = torch.arange(len(image.keypoints)).float()[:, None] * torch.tensor([15.0, 12.0]) + 20
        images.append(_changed(image, torch.where(image.visible[:, None], along, torch.nan)))
    assert any("on one line" in one for one in _prepare(mugs, images).warnings)
    assert not any("on one line" in one for one in _prepare(mugs).warnings)


def test_a_flip_table_without_pairs_is_told_where_it_flattens_the_shape(mugs):
    """Noise of annotators can hide that the keypoints do not obey such a table."""
    identity = tuple(range(len(mugs.info.keypoint_names)))
    collected = collect(mugs.images, replace(mugs.info, flip=identity), 1.5)
    generator = torch.Generator().manual_seed(0)
    structure = lifting._lift(collected.sights, collected.flip, LiftConfig(), generator, ())
    told = warnings(structure, collected, mugs.info)
    assert any("pairs no keypoints" in one for one in told)
    assert not any("in one plane" in one for one in told)
    assert not any("pairs no keypoints" in one for one in _prepare(mugs).warnings)
