"""Networks are timed through the path that verbs take; tiny random ones of the real classes stand in."""

import mask_networks
import pytest
import torch

from benchmark import networks
from semcorr_ros.artifacts import DepthMap, FeatureMap


def test_features_are_those_of_the_backbone():
    found = networks.job("features", "tiny", [], "fp32")()
    assert isinstance(found, FeatureMap)
    assert found.values.shape[-1] == 64


def test_depth_and_masks_are_asked_too(tmp_path, monkeypatch):
    depth_networks = pytest.importorskip("depth_networks")
    depth_networks.save_depth_anything(tmp_path / "depth")
    given = [f"weights={tmp_path / 'depth'}"]
    found = networks.job("depth", "depth_anything", given, "fp32")()
    assert isinstance(found, DepthMap)
    assert found.values.shape == networks.SIZE
    mask_networks.save_sam(tmp_path / "sam")
    mask = networks.job("masks", "sam", [f"weights={tmp_path / 'sam'}"], "fp32")()
    assert mask.dtype == torch.bool
    assert mask.shape == networks.SIZE


def test_what_reads_files_is_no_network():
    with pytest.raises(ValueError, match=r"depth sensor reads files"):
        networks.job("depth", "sensor", [], "fp32")


def test_the_first_run_does_not_count():
    calls = []
    assert networks.timed(lambda: calls.append(1), 3) >= 0
    assert len(calls) == 4
