import numpy as np
import pytest
import spair_folder
import torch

from semcorr_ros.datasets import spair71k
from semcorr_ros.depth import precomputed, sensor


@pytest.fixture
def sample(tmp_path):
    folder = spair_folder.write_folder(tmp_path / "data")
    return spair71k.build(folder.root).images("chair", "trn")[0]


@pytest.fixture
def maps(tmp_path):
    (tmp_path / "maps").mkdir()
    return tmp_path / "maps"


def read(maps, sample, kind="depth"):
    return precomputed.build(precomputed.PrecomputedDepthSettings(maps, kind)).depth(sample)


def test_npy_keeps_its_unit(maps, sample):
    values = np.linspace(1, 5, 60 * 80).reshape(60, 80)
    np.save(maps / f"{sample.name}.npy", values)
    depth = read(maps, sample)
    assert not depth.metric
    np.testing.assert_allclose(depth.values, values, rtol=1e-6)


def test_png_is_millimeters_and_may_lie_in_a_category_folder(maps, sample):
    values = np.full((60, 80), 1234)
    values[0, 0] = 0
    spair_folder.save_depth_mm(maps / "chair" / f"{sample.name}.png", values)
    depth = read(maps, sample)
    assert depth.metric
    assert depth.values[5, 5].item() == pytest.approx(1.234)
    assert depth.values[0, 0] == 0


def test_disparity_is_inverted_up_to_scale(maps, sample):
    values = np.full((60, 80), 4.0)
    values[:, 40:], values[0, :4] = 2.0, [0, np.nan, -1, 1e-5]
    np.save(maps / f"{sample.name}.npy", values)
    depth = read(maps, sample, "disparity")
    assert not depth.metric
    assert (depth.values[9, 60] / depth.values[9, 10]).item() == pytest.approx(2)
    assert depth.values[0, :4].tolist() == [0, 0, 0, 0]
    assert torch.isfinite(depth.values).all()


def test_another_size_is_resampled_without_blending(maps, sample):
    values = np.where(np.arange(40) < 20, 1.0, 9.0)[None].repeat(30, 0)
    np.save(maps / f"{sample.name}.npy", values)
    depth = read(maps, sample)
    assert depth.values.shape == (60, 80)
    assert sorted(depth.values.unique().tolist()) == [1, 9]
    assert depth.values[30, 39] == 1
    assert depth.values[30, 40] == 9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((80, 60)), "60x80 but its image is 80x60"),
        (np.zeros((60, 80)), "no valid depth"),
        (np.full((60, 80), np.nan), "no valid depth"),
        (np.ones((60, 80, 3)), "expected one channel"),
        (np.full((60, 80), None), "not a readable"),
    ],
)
def test_bad_maps_are_named(maps, sample, values, message):
    np.save(maps / f"{sample.name}.npy", values)
    with pytest.raises(ValueError, match=rf"(?s){sample.name}.*{message}"):
        read(maps, sample)


def test_an_8_bit_png_is_not_depth(maps, sample):
    spair_folder.save_image(maps / f"{sample.name}.png", np.ones((60, 80), np.uint8))
    with pytest.raises(ValueError, match="16-bit"):
        read(maps, sample)


def test_missing_things(maps, sample, tmp_path):
    with pytest.raises(FileNotFoundError, match=sample.name):
        read(maps, sample)
    with pytest.raises(ValueError, match="depth, disparity"):
        read(maps, sample, "inverse")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read(tmp_path / "nowhere", sample)


def test_sensor_reads_the_data_sets_own_depth(tmp_path):
    folder = spair_folder.write_folder(tmp_path)
    provider = sensor.PLUGIN.make({}, {})
    with pytest.raises(FileNotFoundError, match="--depth precomputed"):
        provider.depth(spair71k.build(tmp_path).images("chair", "trn")[0])
    spair_folder.save_depth_mm(tmp_path / f"Depth/chair/{folder.names[0]}.png", np.full((60, 80), 700))
    depth = provider.depth(spair71k.build(tmp_path).images("chair", "trn")[0])
    assert depth.metric
    assert depth.values[3, 3].item() == pytest.approx(0.7)
