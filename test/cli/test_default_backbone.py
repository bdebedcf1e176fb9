"""The backbone that nobody named: that of the class, and without a class the one for photographs."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros import backbones
from semcorr_ros.__main__ import main
from semcorr_ros.cli import _command
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._options.sources import LiveSources
from semcorr_ros.features import efficientnet_lite, tiny
from semcorr_ros.methods import read_origin
from semcorr_ros.methods.semalign3d.class_file import read_class, write_class
from semcorr_ros.storage import write_image


@pytest.fixture
def parse():
    return lambda *arguments: _command.parse(LiveSources, ["--device", "cpu", *map(str, arguments)])


def test_without_a_class_it_is_the_one_for_photographs(parse):
    assert data.extractor_from(parse()).backbone.startswith("efficientnet_lite:")


def test_a_class_brings_its_backbone_and_its_settings(parse):
    small = efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=0, side=320)).backbone
    origin = backbones.Origin("mug", small, ("side=320", "size=0"))
    assert data.extractor_from(parse(), built_on=origin).backbone == small
    other = data.extractor_from(parse("--backbone-option", "side=480"), built_on=origin).backbone
    assert other == efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=0)).backbone
    old = backbones.Origin("mug", tiny.build(tiny.TinySettings()).backbone, None)
    assert data.extractor_from(parse(), built_on=old).backbone == old.backbone


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A picture of nothing, a mask in it, and a class of `tiny` that is not in it."""
    folder = tmp_path_factory.mktemp("photographs")
    draws = torch.Generator().manual_seed(1)
    write_image(folder / "a.png", torch.randint(0, 256, (48, 64, 3), dtype=torch.uint8, generator=draws))
    mask = torch.zeros(48, 64, 3, dtype=torch.uint8)
    mask[10:40, 20:50] = 255
    write_image(folder / "b.png", mask)
    model = fabricated.make_class()
    for name, extractor in (("tiny", tiny), ("lite", efficientnet_lite)):
        backbone = extractor.PLUGIN.make({}, {}).backbone
        write_class(folder / f"{name}.safetensors", replace(model, backbone=backbone))
    return folder


def test_a_wrong_backbone_is_refused_with_the_command_that_rebuilds(photographs, capsys):
    given = ["align", "--image", str(photographs / "a.png"), "--mask", str(photographs / "b.png")]
    given += ["--class-file", str(photographs / "tiny.safetensors"), "--backbone", "efficientnet_lite"]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "leave the backbone unset" in said
    assert "build_class --backbone efficientnet_lite --root DATA --category pear" in said


def test_pictures_alone_are_compared_by_the_one_for_photographs(photographs, caplog):
    pair = ["--source", photographs / "a.png", "--target", photographs / "a.png", "--points", "20,20"]
    assert main(["transfer", *map(str, pair), "--method", "nearest_neighbor"]) == 0
    assert not caplog.messages


def test_build_class_keeps_the_settings_and_evaluate_finds_them(small_mug, own_mugs):
    assert read_origin(small_mug).options == ("side=160", "size=0")
    expected = efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=0, side=160)).backbone
    assert read_class(small_mug).backbone == expected
    asked = ["evaluate", "--root", own_mugs, "--category", "mug", "--class-file", small_mug]
    methods = ["--max-pairs", "2", "--method", "nearest_neighbor", "--method", "aligned"]
    assert main([*map(str, asked), *methods]) == 0


def test_encode_takes_the_backbone_of_the_classes_that_masks_look_for(small_mug, own_mugs, tmp_path, capsys):
    asked = ["encode", "--root", own_mugs, "--category", "mug", "--split", "test", "--masks", "attention"]
    asked = [*map(str, asked), "--class-dir", str(small_mug.parent), "--feature-cache", str(tmp_path / "c")]
    assert main(asked) == 0
    assert main([*asked, "--backbone", "tiny"]) == 1
    assert "build_class --backbone tiny --root DATA --category mug" in capsys.readouterr().out


@pytest.fixture(scope="module")
def small_mug(own_mugs, tmp_path_factory):
    """A class that was built with other settings than the defaults."""
    path = tmp_path_factory.mktemp("small") / "mug.safetensors"
    built = ["build_class", "--root", own_mugs, "--category", "mug", "--depth", "sensor", "--output", path]
    assert main([*map(str, built), "--backbone-option", "size=0", "--backbone-option", "side=160"]) == 0
    return path


@pytest.fixture(scope="module")
def own_mugs(tmp_path_factory):
    pytest.importorskip("embreex")
    root = tmp_path_factory.mktemp("mugs")
    counts = {"images-trn": 8, "images-val": 0, "images-test": 3}
    counts |= {"pairs-trn": 0, "pairs-val": 0, "pairs-test": 3}
    made = [part for name, count in counts.items() for part in (f"--{name}", str(count))]
    options = ["--categories", "mug", "--size", "320x240", "--workers", "1", "--no-occluders"]
    assert main(["synthesize", "--output", str(root), *made, *options]) == 0
    return root
