"""Depth networks: tiny random models of the real classes, loaded through the real path."""

from dataclasses import replace
from functools import partial

import depth_networks
import numpy as np
import pytest
import torch
import transformers
from model_folders import ModelFolders

from semcorr_ros import weights
from semcorr_ros.artifacts import DepthMap, FeatureMap
from semcorr_ros.depth import depth_anything, depth_pro
from semcorr_ros.depth._disparity import DisparityMap, as_released, inverted, shifted
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.geometry import cameras
from semcorr_ros.observations import Providers, lone_image, observe
from semcorr_ros.storage import write_image
from semcorr_ros.weights import networks

SIZES = [(60, 91), (91, 60), (70, 70)]
# transformers 4 knows the processor without torchvision under another name.
DPTImageProcessorPil = getattr(transformers, "DPTImageProcessorPil", transformers.DPTImageProcessor)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    savers = {
        "relative": depth_networks.save_depth_anything,
        "metric": partial(depth_networks.save_depth_anything, metric=True),
        "pro": depth_networks.save_depth_pro,
    }
    return ModelFolders(tmp_path_factory.mktemp("depth"), savers)


def picture(size, seed=0):
    draws = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (1, 3, 5, 7), generator=draws).float()
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")[0].permute(1, 2, 0).byte()


def anything(folders, name="relative", **options):
    return depth_anything.build(
        depth_anything.DepthAnythingSettings(weights=str(folders / name), side=70, **options)
    )


def pro(folders, **options):
    return depth_pro.build(depth_pro.DepthProSettings(weights=str(folders / "pro"), side=224, **options))


@pytest.mark.parametrize("size", SIZES)
def test_relative_depth_is_that_of_the_hubs_own_pipeline(folders, size):
    image, model = picture(size), anything(folders)
    processor = DPTImageProcessorPil(
        size={"height": 70, "width": 70},
        ensure_multiple_of=14,
        keep_aspect_ratio=True,
        image_mean=list(networks.IMAGENET_MEAN),
        image_std=list(networks.IMAGENET_STD),
    )
    if not hasattr(processor, "post_process_depth_estimation"):
        pytest.skip(f"transformers {transformers.__version__} leaves resizing to the reader of its manual")
    inputs = processor(images=image.numpy(), return_tensors="pt")
    with torch.no_grad():
        outputs = model._network(**inputs)
    (expected,) = processor.post_process_depth_estimation(outputs, [size])
    found = model.estimate(image)
    assert isinstance(found, DisparityMap)
    assert found.values.shape == size
    spread = float(expected["predicted_depth"].std())
    assert spread > 0.01
    error = (found.values - expected["predicted_depth"]).abs()
    # 8-bit rounding of the resized image may differ by one; overshoot is cut.
    assert float(error.mean()) < 0.02 * spread


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (333, 500), (3000, 4000), (150, 200), (518, 518)])
def test_input_size_is_that_of_the_hubs_processor(size):
    processor = DPTImageProcessorPil(
        size={"height": 518, "width": 518}, ensure_multiple_of=14, keep_aspect_ratio=True
    )
    pixels = processor(images=np.zeros((*size, 3), np.uint8), return_tensors="pt")["pixel_values"]
    assert depth_anything.input_size(size, 518, 14) == tuple(pixels.shape[-2:])


def test_decodings_of_disparity():
    disparity = DisparityMap(torch.tensor([[4.0, 2.0, 0.0, -1.0, float("nan")]]))
    np.testing.assert_allclose(as_released(disparity).values, [[0.7, 0.85, 1.0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(inverted(disparity).values, [[1, 2, 0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(shifted(disparity).values, [[1 / 1.5, 1, 2, 0, 0]], rtol=1e-6)
    assert not as_released(disparity).metric
    assert not inverted(disparity).metric


def test_relative_depth_is_decoded_as_asked(folders, tmp_path):
    write_image(tmp_path / "mug.png", picture((60, 91)))
    sample = lone_image(tmp_path / "mug.png", "mug")
    decoded = (anything(folders, decode=name).depth(sample).values for name in ("release", "inverse"))
    released, inverse = decoded
    assert 0.7 - 1e-6 <= float(released.min()) < float(released.max()) <= 1
    known = inverse > 0
    order = released[known].argsort()
    farther = inverse[known][order]
    assert (farther[1:] >= 0.999 * farther[:-1]).all()
    assert float(farther[-1]) > 1.1 * float(farther[0])


def test_metric_depth_is_metres_up_to_the_models_limit(folders):
    found = anything(folders, "metric").estimate(picture((60, 91)))
    assert isinstance(found, DepthMap)
    assert found.metric
    assert found.focal is None
    assert 0 < float(found.values.min()) < float(found.values.max()) < 20


@pytest.mark.parametrize("size", SIZES)
def test_depth_pro_gives_metres_and_the_focal_length(folders, size):
    found = pro(folders).from_image(picture(size))
    assert found.metric
    assert found.values.shape == size
    assert float(found.values.std()) > 0
    assert found.focal == pytest.approx(0.5 * size[1] / np.tan(np.deg2rad(30)), rel=0.1)


def test_a_known_camera_decides_about_depth_pros_scale(folders):
    image, model = picture((60, 91)), pro(folders)
    near, far = (model.from_image(image, cameras.centered(focal, (60, 91))) for focal in (80.0, 160.0))
    np.testing.assert_allclose(far.values, 2 * near.values, rtol=1e-4)
    assert near.focal is None
    guessed = model.from_image(image)
    np.testing.assert_allclose(guessed.values, near.values * (guessed.focal / 80), rtol=1e-4)


class Gray(FeatureExtractor):
    """Features that say nothing."""

    backbone = "gray:0"

    def encode(self, ref):
        cells = torch.nn.functional.normalize(torch.ones(6, 8, 4), dim=-1)
        return FeatureMap(cells, tuple(ref.image.shape[:2]), self.backbone)


def test_focal_length_reaches_the_camera_of_the_observation(folders, tmp_path):
    write_image(tmp_path / "mug.png", picture((60, 91)))
    sample = lone_image(tmp_path / "mug.png", "mug")
    seen = observe(sample, Providers(Gray(), pro(folders)))
    assert seen.camera.focal.tolist() == pytest.approx([seen.depth.focal] * 2)
    assert seen.camera.principal_point.tolist() == [45.0, 29.5]
    known = cameras.centered(99.0, (60, 91))
    assert observe(replace(sample, camera=known), Providers(Gray(), pro(folders))).camera.focal[0] == 99
    assert observe(sample, Providers(Gray(), pro(folders, focal=False))).camera is None
    assert observe(sample, Providers(Gray(), anything(folders))).camera is None


@pytest.mark.parametrize("make", [anything, pro])
def test_deterministic_usable_in_autograd_and_close_in_half_precision(folders, make):
    image, model = picture((60, 91)), make(folders)
    first, second = (model.from_image(image).values for _ in range(2))
    assert torch.equal(first, second)
    assert not first.is_inference()
    half = make(folders, precision="bf16").from_image(image).values
    assert half.dtype == torch.float32
    assert 0 < float((half - first).abs().mean()) < 0.1 * float(first.abs().mean())


def test_missing_weights_say_what_to_fetch():
    with pytest.raises(weights.MissingWeights) as caught:
        depth_anything.build(depth_anything.DepthAnythingSettings())
    for part in (
        "Depth-Anything-V2-Large-hf",
        "CC-BY-NC-4.0",
        "1.3 GB",
        "weights fetch depth-anything-v2-large",
    ):
        assert part in str(caught.value)
    with pytest.raises(weights.MissingWeights, match="depth-anything-v2-metric-indoor-small"):
        depth_anything.build(depth_anything.DepthAnythingSettings(size="small", model="metric-indoor"))
    with pytest.raises(weights.MissingWeights, match=r"apple/DepthPro-hf .*AMLR"):
        depth_pro.build(depth_pro.DepthProSettings())


def test_weights_are_found_by_name(folders, tmp_path):
    target = tmp_path / "weights" / "depth-anything-v2-small"
    target.parent.mkdir()
    target.symlink_to(folders / "relative", target_is_directory=True)
    assert not depth_anything.build(depth_anything.DepthAnythingSettings(size="small", side=70)).metric


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "giant"}, "size must be one of small, base, large, got 'giant'"),
        ({"model": "metric"}, "model must be one of relative, metric-indoor"),
        ({"decode": "log"}, "decode must be one of release, inverse"),
        ({"precision": "int8"}, "precision must be one of fp32"),
        ({"side": 71}, "side must be a multiple of the patch size 14, got 71"),
    ],
)
def test_bad_settings_name_the_choices(folders, options, message):
    with pytest.raises(ValueError, match=message):
        depth_anything.build(
            depth_anything.DepthAnythingSettings(
                **{"weights": str(folders / "relative"), "side": 70, **options}
            )
        )


def test_another_model_and_incomplete_weights_name_the_folder(folders, tmp_path):
    with pytest.raises(ValueError, match=r"pro holds a model of type 'depth_pro', expected depth_anything"):
        anything(folders, "pro")
    depth_networks.save_depth_pro(tmp_path / "blind", use_fov_model=False)
    with pytest.raises(ValueError, match=r"blind has no field-of-view network"):
        depth_pro.build(depth_pro.DepthProSettings(weights=str(tmp_path / "blind")))
    damaged = tmp_path / "damaged"
    depth_networks.save_depth_anything(damaged)
    content = (damaged / "model.safetensors").read_bytes()
    (damaged / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"damaged cannot be loaded as DepthAnything"):
        depth_anything.build(depth_anything.DepthAnythingSettings(weights=str(damaged), side=70))
