"""The real classes with random weights, through the real path; numbers of the published pipeline."""

import shutil
from dataclasses import replace
from functools import partial

import diffusers
import diffusion_folders
import pytest
import torch
import transformers
from torch.nn.functional import interpolate, normalize

from semcorr_ros.features import ImageRef, _canvas, _diffusion, _diffusion_folder, _tiles, stable_diffusion
from semcorr_ros.geometry.letterbox import cut_out, letterboxed

SIDE = 128  # of tests: one tile, 8 x 8 cells


def picture(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 5, 6, generator=generator)
    smooth = interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth[0].permute(1, 2, 0) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diffusion")
    diffusion_folders.save_diffusion(folder)
    return folder


def build(folder, **options):
    return stable_diffusion.build(
        stable_diffusion.StableDiffusionSettings(**({"weights": str(folder), "side": SIDE} | options))
    )


def test_noise_levels_of_the_schedule(folder):
    """alpha_bar(50) and alpha_bar(100), with their roots: the shares of signal and noise."""
    alpha_bar = _diffusion_folder.load_scheduler(folder).alphas_cumprod.double()
    for step, level, signal, noise in (
        (50, 0.951577, 0.975488, 0.220052),
        (100, 0.894223, 0.945634, 0.325233),
    ):
        assert float(alpha_bar[step]) == pytest.approx(level, abs=1e-6)
        assert float(alpha_bar[step] ** 0.5) == pytest.approx(signal, abs=1e-6)
        assert float((1 - alpha_bar[step]) ** 0.5) == pytest.approx(noise, abs=2e-6)


def test_noise_is_that_of_the_authors():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    wanted = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(42))
    assert torch.equal(_diffusion.fixed_noise(64, 64), wanted)
    assert torch.equal(torch.random.get_rng_state(), before), "global randomness is left alone"


@torch.no_grad()
def by_hand(folder, image, timestep, prompt, side=SIDE):
    """The layers written out with diffusers and transformers, with hooks on the whole UNet."""
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False)
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae", low_cpu_mem_usage=False)
    encoder = transformers.CLIPTextModel.from_pretrained(folder / "text_encoder").eval()
    tokens = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")(
        prompt, padding="max_length", max_length=77, return_tensors="pt"
    )
    pixels = _canvas.lay_out(image, letterboxed(tuple(image.shape[:2]), side)).permute(2, 0, 1)[None]
    latents = vae.encode(pixels.float() / 127.5 - 1).latent_dist.mean * 0.18215
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    level = (1 - betas).cumprod(0)[timestep].float()
    noisy = level.sqrt() * latents + (1 - level).sqrt() * _diffusion.fixed_noise(*latents.shape[-2:])
    places = {"s5": unet.up_blocks[0].resnets[1]}
    places |= {"s4": unet.up_blocks[1].attentions[1], "s3": unet.up_blocks[2].attentions[1]}
    found = {}
    for name, module in places.items():

        def keep(module, args, output, name=name):
            found[name] = output[0] if isinstance(output, tuple) else output

        module.register_forward_hook(keep)
    unet(noisy, timestep, encoder(tokens.input_ids).last_hidden_state)
    return found


@pytest.mark.parametrize(
    ("timestep", "prompt", "spoken"),
    [(100, "", ""), (50, "a photo of a {category}", "a photo of a fire ant")],
)
def test_features_are_those_of_the_whole_pipeline(folder, timestep, prompt, spoken):
    image = picture(96, 128)
    found = build(folder, timestep=timestep, prompt=prompt).encode(ImageRef(image, category="fire_ant"))
    maps = by_hand(folder, image, timestep, spoken)
    assert [tuple(maps[name].shape[1:]) for name in ("s5", "s4", "s3")] == [
        (32, 2, 2),
        (32, 4, 4),
        (16, 8, 8),
    ]
    up = [interpolate(maps[n], size=(8, 8), mode="bilinear", align_corners=False) for n in ("s3", "s4", "s5")]
    cells = normalize(torch.cat(up, dim=1), dim=1)[0].permute(1, 2, 0)
    wanted = normalize(cut_out(cells, letterboxed((96, 128))), dim=-1)
    assert found.values.shape == (6, 8, 80)
    torch.testing.assert_close(found.values, wanted, atol=1e-4, rtol=0)


def test_timestep_prompt_and_freeu_matter(folder):
    image = ImageRef(picture(96, 128), category="cat")
    options = [{}, {"timestep": 50}, {"prompt": "a photo of a cat"}, {"freeu": True}]
    options += [{"freeu": True, "freeu_recorded": False}, {"side": 2 * SIDE}]
    extractors = [build(folder, **one) for one in options]
    assert len({extractor.backbone for extractor in extractors}) == len(options)
    maps = [extractor.encode(image).values for extractor in extractors[:-1]]
    for i, one in enumerate(maps):
        for other in maps[:i]:
            assert (one - other).abs().max() > 1e-4
    named = build(folder, prompt="a photo of a {category}")
    assert torch.equal(named.encode(image).values, maps[2])
    assert not torch.equal(named.encode(replace(image, category="dog")).values, maps[2])
    with pytest.raises(ValueError, match=r"'a photo of a \{category\}' needs the category"):
        named.encode(ImageRef(picture(96, 128)))


def test_the_published_size_goes_through_in_four_tiles(folder):
    """Each quarter of the canvas that only one tile shows has the features of that tile alone."""
    extractor = _diffusion.Diffusion(folder, _diffusion.Settings(100), "fp32", "cpu")
    image = picture(960, 960)
    whole = extractor.layers([ImageRef(image)])
    assert {name: tuple(value.shape) for name, value in whole.items()} == {
        "s3": (1, 16, 60, 60),
        "s4": (1, 32, 30, 30),
        "s5": (1, 32, 15, 15),
    }
    alone = _diffusion.Diffusion(folder, _diffusion.Settings(100, side=512), "fp32", "cpu")
    corner = alone.layers([ImageRef(image[448:, 448:].contiguous())])
    torch.testing.assert_close(whole["s3"][..., 32:, 32:], corner["s3"][..., 4:, 4:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(whole["s5"][..., 8:, 8:], corner["s5"][..., 1:, 1:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (80, 60), (33, 200), (9, 8)])
def test_any_image_becomes_unit_features_without_padding(folder, height, width):
    features = build(folder).encode(ImageRef(picture(height, width)))
    h, w, channels = features.values.shape
    assert (h, w) == tuple(max(1, round(8 * side / max(height, width))) for side in (height, width))
    assert channels == 80
    assert features.image_size == (height, width)
    assert features.values.dtype == torch.float32
    assert not features.values.is_inference(), "could not enter an energy that is differentiated"
    torch.testing.assert_close(features.values.norm(dim=-1), torch.ones(h, w))


def test_a_batch_equals_single_images_and_repeats_itself(folder):
    refs = [ImageRef(picture(*size, seed)) for seed, size in enumerate([(60, 80), (80, 60), (50, 50)] * 2)]
    extractor = build(folder)
    together = extractor.encode_batch(refs)
    torch.manual_seed(5)
    for ref, found in zip(refs, together, strict=True):
        torch.testing.assert_close(found.values, extractor.encode(ref).values, atol=1e-5, rtol=0)
        assert found.image_size == tuple(ref.image.shape[:2])
    assert torch.equal(build(folder).encode(refs[0]).values, extractor.encode(refs[0]).values)
    assert extractor.encode_batch([]) == []


def test_every_tile_is_told_of_its_own_image(folder, monkeypatch):
    monkeypatch.setattr(_diffusion, "tiling", partial(_tiles.tiling, tile=128))  # 2 x 2 small ones
    extractor = build(folder, side=192, prompt="a photo of a {category}")
    refs = [ImageRef(picture(90, 90), category=category) for category in ("cat", "dog")]
    together = extractor.encode_batch(refs)
    assert (together[0].values - together[1].values).abs().max() > 1e-4
    for ref, found in zip(refs, together, strict=True):
        torch.testing.assert_close(found.values, extractor.encode(ref).values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_is_comparable_and_says_so(folder, precision):
    full, half = build(folder, freeu=True), build(folder, freeu=True, precision=precision)
    image = ImageRef(picture(60, 80))
    assert (full.encode(image).values * half.encode(image).values).sum(-1).min() > 0.999
    assert half.backbone == full.backbone
    assert half.variant != full.variant


def test_every_tensor_follows_the_device(folder):
    """The meta device refuses to mix with tensors of the CPU, as a GPU does."""
    features = build(folder, device="meta", freeu=True).encode(ImageRef(picture(60, 80)))
    assert features.values.device.type == "meta"
    assert features.values.shape == (6, 8, 80)


def test_the_fingerprint_names_weights(folder, tmp_path):
    known = build(folder).backbone
    assert known.startswith("stable_diffusion:")
    assert len(known) == len("stable_diffusion:") + 12
    diffusion_folders.save_diffusion(tmp_path, seed=1)
    assert build(tmp_path).backbone != known


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timestep": 1000}, "timestep must be from 0 to 999, got 1000"),
        ({"side": 840}, "side must be a multiple of 64 pixels, got 840"),
        ({"precision": "int8"}, "precision must be one of fp32, fp16, bf16"),
    ],
)
def test_bad_settings_are_named(folder, options, message):
    with pytest.raises(ValueError, match=message):
        build(folder, **options)


@pytest.mark.parametrize(
    "part",
    [
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "tokenizer/vocab.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_missing_part_is_named(folder, tmp_path, part):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / part).unlink()
    with pytest.raises(FileNotFoundError, match=part.rpartition("/")[2]):
        build(copy)


def test_weights_that_do_not_fit_are_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.copy(folder / "vae" / _diffusion_folder.WEIGHTS, copy / "unet")
    with pytest.raises(ValueError, match=r"lacks \d+ weights of UNet2DConditionModel, first"):
        build(copy)
    (copy / "unet" / _diffusion_folder.WEIGHTS).write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be loaded as UNet2DConditionModel"):
        build(copy)
