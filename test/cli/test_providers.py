import depth_networks
import mask_networks
import numpy as np
import pytest
import spair_folder
import torch
import transformer_folders

from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._command import parse
from semcorr_ros.cli._options.sources import DatasetSources
from semcorr_ros.depth import precomputed as precomputed_depth
from semcorr_ros.depth import sensor
from semcorr_ros.features import ImageRef
from semcorr_ros.features import precomputed as precomputed_features
from semcorr_ros.masks import annotation, attention
from semcorr_ros.masks import precomputed as precomputed_masks


@pytest.fixture
def sources(tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.ones((2, 2, 3)))

    def read(*arguments):
        given = ["--features-dir", str(tmp_path), "--device", "cpu", *map(str, arguments)]
        return parse(DatasetSources, given)

    return read


def kinds(masks):
    return [type(mask) for mask in masks]


def test_defaults_follow_the_folders_that_are_given(sources, tmp_path):
    providers = data.providers_from(sources())
    assert isinstance(providers.features, precomputed_features.PrecomputedFeatures)
    assert isinstance(providers.depth, sensor.SensorDepth)
    assert not providers.depth_required
    assert kinds(providers.masks) == [annotation.AnnotationMasks, attention.AttentionMasks]
    providers = data.providers_from(sources("--depth-dir", tmp_path, "--masks-dir", tmp_path))
    assert isinstance(providers.depth, precomputed_depth.PrecomputedDepth)
    assert providers.depth_required
    assert kinds(providers.masks)[0] is precomputed_masks.PrecomputedMasks
    assert len(providers.masks) == 3


def test_none_means_none(sources):
    providers = data.providers_from(sources("--depth", "none", "--masks", "none"))
    assert providers.depth is None
    assert providers.masks == ()


def test_disparity_reaches_the_provider(sources, tmp_path):
    given = ("--depth", "precomputed", "--depth-dir", tmp_path, "--depth-kind", "disparity")
    assert data.providers_from(sources(*given)).depth.config.kind == "disparity"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--depth", "precomputed"], "'precomputed' needs --depth-dir"),
        (["--depth", "sensor", "--depth-dir", "."], "--depth-dir means nothing"),
        (["--depth-kind", "disparity"], "--depth-kind means nothing"),
        (["--masks", "precomputed"], "'precomputed' needs --masks-dir"),
        (["--masks", "annotation", "--masks-dir", "."], "needs precomputed among --masks"),
        (["--backbone", "tiny"], "--features-dir means nothing"),
        (["--threads", "-1"], "--threads must be between 0 and 1024, got -1"),
        (["--precision", "fp8"], "--precision must be one of fp32, fp16, bf16, got 'fp8'"),
        (["--masks", "sam", "luck"], "--masks must be one of annotation, .*none, got 'luck'"),
        (["--feature-cache-gb", "much"], "--feature-cache-gb.*'much'"),
        (["--maskz", "sam"], "Unrecognized option: --maskz"),
        (["--device", "abacus"], "--device abacus"),
    ],
)
def test_arguments_that_do_not_fit_are_explained(sources, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.providers_from(sources(*arguments))


@pytest.fixture
def features():
    return lambda *arguments: parse(DatasetSources, ["--device", "cpu", *map(str, arguments)])


def test_settings_of_a_backbone_reach_it(features, tmp_path):
    transformer_folders.save_transformer(tmp_path, "dinov2")
    given = ("--backbone", "dinov2", "--weights", tmp_path, "--precision", "bf16")
    options = ("--backbone-option", "side=112", "--backbone-option", "layout=unpadded")
    extractor = data.extractor_from(features(*given, *options))
    assert extractor.variant == "bfloat16"
    found = extractor.encode(ImageRef(torch.zeros(40, 60, 3, dtype=torch.uint8)))
    assert found.values.shape == (5, 8, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone-option", "size"], "takes KEY=VALUE, got 'size'"),
        (["--backbone-option", "sise=base"], "unknown key 'sise'; allowed: size, registers"),
        (["--backbone-option", "side=broad"], "side: expected int, got 'broad'"),
        (["--backbone-option", "registers=3"], "registers: expected bool, got 3"),
        (["--backbone-option", "device=cpu"], "use --device"),
        (["--backbone-option", "weights=here"], "use --weights"),
        (["--backbone-option", "side=14", "--backbone-option", "side=28"], "side was given before"),
    ],
)
def test_settings_that_a_backbone_does_not_have_are_refused(features, options, message):
    with pytest.raises(ValueError, match=message):
        data.extractor_from(features("--backbone", "dinov2", *options))


def test_the_cache_stands_in_front_of_the_backbone(features, tmp_path):
    image = ImageRef(torch.full((40, 60, 3), 9, dtype=torch.uint8))
    for _ in range(2):
        cache = data.extractor_from(features("--feature-cache", tmp_path))
        found = cache.encode(image)
    assert (cache.read, cache.computed) == (1, 0)
    plain = data.extractor_from(features())
    assert found.backbone == plain.backbone
    torch.testing.assert_close(found.values, plain.encode(image).values, atol=5e-4, rtol=0)
    with pytest.raises(ValueError, match=r"--precision '.*16' means nothing to"):
        data.extractor_from(features("--precision", "fp16"))


def test_settings_of_a_depth_network_reach_it(sources, tmp_path):
    depth_networks.save_depth_anything(tmp_path / "weights", metric=True)
    options = ["--depth-option", f"weights={tmp_path / 'weights'}", "--depth-option", "side=70"]
    args = sources("--depth", "depth_anything", *options, "--masks", "none")
    assert data.providers_from(args).depth.metric
    args = sources("--depth", "depth_anything", "--depth-option", "kind=disparity")
    with pytest.raises(ValueError, match=r"--depth-option kind=disparity: use --depth-kind"):
        data.providers_from(args)
    with pytest.raises(ValueError, match=r"unknown key 'sharp'; allowed: size, model"):
        data.providers_from(sources("--depth", "depth_anything", "--depth-option", "sharp=1"))


def test_release_decoding_of_precomputed_disparity(sources, tmp_path):
    args = sources(
        "--depth-dir", str(tmp_path), "--depth-kind", "disparity", "--depth-option", "decode=release"
    )
    assert data.providers_from(args).depth.config.decode == "release"


def test_mask_options_name_their_provider(sources):
    args = sources("--masks", "attention", "--mask-option", "attention.keep=0.5")
    assert data.providers_from(args).masks[0].config.keep == 0.5
    with pytest.raises(
        ValueError, match=r"--mask-option sam.size=base: NAME.KEY=VALUE with one of attention"
    ):
        data.providers_from(sources("--masks", "attention", "--mask-option", "sam.size=base"))


def test_settings_of_a_segmenter_reach_it(sources, tmp_path):
    mask_networks.save_sam(tmp_path / "sam")
    options = ("--mask-option", f"sam.weights={tmp_path / 'sam'}", "--mask-option", "sam.candidate=best")
    args = sources("--masks", "annotation", "sam", *options)
    assert data.providers_from(args).masks[1]._settings.candidate == "best"


def test_precision_reaches_every_network_that_has_it(sources, tmp_path):
    mask_networks.save_sam(tmp_path / "sam")
    depth_networks.save_depth_anything(tmp_path / "depth")
    depth = ("--depth", "depth_anything", "--depth-option", f"weights={tmp_path / 'depth'}")
    masks = ("--masks", "attention", "sam", "--mask-option", f"sam.weights={tmp_path / 'sam'}")
    small = ("--depth-option", "side=70", "--precision", "bf16")
    providers = data.providers_from(sources(*depth, *masks, *small))
    assert providers.depth._config.precision == providers.masks[1]._settings.precision == "bf16"
    with pytest.raises(ValueError, match=r"--precision '.*16' means nothing to"):
        data.providers_from(sources("--precision", "bf16"))
