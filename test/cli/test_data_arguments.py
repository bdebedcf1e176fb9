import argparse

import numpy as np
import pytest
import spair_folder

from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.depth import precomputed as precomputed_depth
from semcorr_ros.depth import sensor
from semcorr_ros.features import precomputed as precomputed_features
from semcorr_ros.masks import annotation, attention
from semcorr_ros.masks import precomputed as precomputed_masks


@pytest.fixture
def parse(tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.ones((2, 2, 3)))
    parser = argparse.ArgumentParser()
    data.add_provider_arguments(parser)

    def parse(*arguments):
        return parser.parse_args(["--features-dir", str(tmp_path), "--device", "cpu", *map(str, arguments)])

    return parse


def kinds(masks):
    return [type(mask) for mask in masks]


def test_defaults_follow_the_folders_that_are_given(parse, tmp_path):
    providers = data.providers_from(parse())
    assert isinstance(providers.features, precomputed_features.PrecomputedFeatures)
    assert isinstance(providers.depth, sensor.SensorDepth)
    assert not providers.depth_required
    assert kinds(providers.masks) == [annotation.AnnotationMasks, attention.AttentionMasks]
    providers = data.providers_from(parse("--depth-dir", tmp_path, "--masks-dir", tmp_path))
    assert isinstance(providers.depth, precomputed_depth.PrecomputedDepth)
    assert providers.depth_required
    assert kinds(providers.masks)[0] is precomputed_masks.PrecomputedMasks
    assert len(providers.masks) == 3


def test_none_means_none(parse):
    providers = data.providers_from(parse("--depth", "none", "--masks", "none"))
    assert providers.depth is None
    assert providers.masks == ()


def test_disparity_reaches_the_provider(parse, tmp_path):
    given = ("--depth", "precomputed", "--depth-dir", tmp_path, "--depth-kind", "disparity")
    assert data.providers_from(parse(*given)).depth.config.kind == "disparity"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--depth", "precomputed"], "'precomputed' needs --depth-dir"),
        (["--depth", "sensor", "--depth-dir", "."], "--depth-dir means nothing"),
        (["--depth-kind", "disparity"], "--depth-kind means nothing"),
        (["--masks", "precomputed"], "'precomputed' needs --masks-dir"),
        (["--masks", "annotation", "--masks-dir", "."], "needs precomputed among --masks"),
        (["--backbone", "tiny"], "--features-dir means nothing"),
        (["--threads", "0"], "at least 1"),
        (["--device", "abacus"], "--device abacus"),
    ],
)
def test_arguments_that_do_not_fit_are_explained(parse, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.providers_from(parse(*arguments))
