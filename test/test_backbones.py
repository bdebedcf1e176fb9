"""Which backbone is meant, and what is said where two do not fit."""

from dataclasses import replace

import pytest
from methods.semalign3d.alignment import fabricated

from semcorr_ros import backbones
from semcorr_ros.backbones import Origin
from semcorr_ros.live_providers import Common, feature_extractor
from semcorr_ros.methods import read_origin
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.options import flag
from semcorr_ros.provider_options import FeatureOptions

LITE = Origin("mug", "efficientnet_lite:0123", ("side=320", "size=0"))


def test_the_header_of_a_class_file_says_what_it_was_built_on(tmp_path):
    path, model = tmp_path / "pear.safetensors", fabricated.make_class()
    write_class(path, model)
    assert read_origin(path) == Origin("pear", fabricated.BACKBONE, None, folder=tmp_path)
    kept = backbones.kept_options(["size=0", "dino_weights=/home/me", "prompt=a photo of a {category}"])
    write_class(path, replace(model, provenance=kept))
    assert read_origin(path).options == ("prompt=a photo of a {category}", "size=0")
    assert "/home" not in str(kept)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"pear\.safetensors is not .* or is damaged"):
        read_origin(path)
    with pytest.raises(FileNotFoundError):
        read_origin(tmp_path / "gone.safetensors")


def test_weights_are_found_beside_the_class_that_was_built_with_them(tmp_path):
    weights = tmp_path / "sphere.safetensors"
    assert backbones.WEIGHTS not in backbones.kept_options([], "hub/name")
    weights.touch()
    kept = backbones.kept_options([], str(weights))
    assert kept[backbones.WEIGHTS] == "sphere.safetensors"
    path = tmp_path / "pear.safetensors"
    write_class(path, replace(fabricated.make_class(), provenance=kept))
    origin = read_origin(path)
    assert backbones.weights_beside(origin, origin.name) == str(weights)
    assert backbones.weights_beside(origin, "tiny") == ""
    weights.unlink()
    assert backbones.weights_beside(origin, origin.name) == ""
    assert backbones.weights_beside(replace(origin, weights=""), origin.name) == ""


def test_weights_that_are_not_given_are_named():
    built_on = Origin("mug", "spherical:0123", (), weights="sphere.safetensors")
    with pytest.raises(ValueError, match=r"--weights.*'mug' was built with the weights sphere\.safetensors"):
        feature_extractor(FeatureOptions(), Common("cpu", "", flag), built_on)
    with pytest.raises(ValueError, match=r"train_sphere$"):
        feature_extractor(FeatureOptions(backbone="spherical"), Common("cpu", "", flag), None)


def test_the_given_backbone_goes_before_that_of_the_class():
    assert backbones.chosen("", None) == "efficientnet_lite"
    assert backbones.chosen("", replace(LITE, backbone="tiny:1")) == "tiny"
    assert backbones.chosen("dinov2", LITE) == "dinov2"
    with pytest.raises(ValueError, match=r"class 'mug' .* 'laser:1', which is none of .*tiny"):
        backbones.chosen("", replace(LITE, backbone="laser:1"))


def test_settings_of_the_class_fill_those_that_are_not_given():
    assert backbones.with_those_of(LITE, "efficientnet_lite", ["side=480"]) == ["side=480", "size=0"]
    assert backbones.with_those_of(LITE, "tiny", []) == []
    assert backbones.with_those_of(None, "tiny", ["a=b"]) == ["a=b"]
    assert backbones.with_those_of(replace(LITE, options=None), "efficientnet_lite", []) == []


@pytest.mark.parametrize(
    ("origin", "computed", "said"),
    [
        (LITE, "tiny:9", "leave the backbone unset"),
        (LITE, "efficientnet_lite:9", r"\(options: side=320 size=0\)"),
        (replace(LITE, options=()), "efficientnet_lite:9", r"\(options: none but the defaults\)"),
        (replace(LITE, options=None), "efficientnet_lite:9", "does not say which, .* size=0"),
    ],
)
def test_a_mismatch_names_both_and_the_two_ways_out(origin, computed, said):
    sentence = backbones.mismatch(origin, computed, "m/mug.safetensors")
    name = computed.partition(":")[0]
    assert origin.backbone in sentence
    assert computed in sentence
    assert f"build_class --backbone {name} --root DATA --category mug --output m/mug.safetensors" in sentence
    with pytest.raises(ValueError, match=said):
        raise ValueError(sentence)


def test_only_what_knows_rendered_images_alone_is_warned_of():
    assert "--backbone efficientnet_lite" in backbones.beware("tiny:0")
    assert backbones.beware("efficientnet_lite:0") == backbones.beware("dinov2:0") == ""
