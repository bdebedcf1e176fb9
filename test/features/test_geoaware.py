"""The adapter on tiny random models of the real classes, through the real path."""

import diffusion_folders
import pytest
import torch
import transformer_folders
import transformers
from torch.nn.functional import interpolate, normalize

from semcorr_ros.features import ImageRef, _canvas, _diffusion_dino, _dino_tokens, geoaware
from semcorr_ros.features._aggregation import AggregationNetwork
from semcorr_ros.features._diffusion import Settings
from semcorr_ros.features._unet_taps import FreeU
from semcorr_ros.geometry.letterbox import cut_out, letterboxed

SIDE = 128  # of tests: 8 x 8 cells
CHANNELS = {"full": (16, 32, 32, 32), "dino": (32,)}


def picture(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 5, 6, generator=generator)
    smooth = interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth[0].permute(1, 2, 0) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    diffusion_folders.save_diffusion(folder / "sd")
    transformer_folders.save_transformer(folder / "dino", "dinov2")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for variant, channels in CHANNELS.items():
            torch.save(AggregationNetwork(channels, 32, 32).state_dict(), folder / f"{variant}.pth")
    return folder


def build(folder, variant="full", **options):
    known = {
        "variant": variant,
        "weights": str(folder / f"{variant}.pth"),
        "diffusion_weights": str(folder / "sd"),
        "dino_weights": str(folder / "dino"),
        "side": SIDE,
    }
    return geoaware.build(geoaware.GeoAwareSettings(**(known | options)))


def adapter(folder, variant):
    network = AggregationNetwork(CHANNELS[variant], 32, 32)
    network.load_state_dict(torch.load(folder / f"{variant}.pth", weights_only=True))
    return network


@torch.no_grad()
def test_full_adapts_raw_layers_at_50_steps_with_freeu(folder):
    image = ImageRef(picture(96, 128))
    paths = folder / "sd", folder / "dino"
    networks = _diffusion_dino.DiffusionDino(paths, Settings(50, "", FreeU(), SIDE), "fp32", "cpu")
    layers = networks.layers([image])
    maps = [interpolate(layers[n], (8, 8), mode="bilinear", align_corners=False) for n in ("s3", "s4", "s5")]
    cells = normalize(adapter(folder, "full")([*maps, layers["dino"]])[0], dim=0).permute(1, 2, 0)
    wanted = normalize(cut_out(cells, letterboxed((96, 128))), dim=-1)
    found = build(folder).encode(image)
    assert found.values.shape == (6, 8, 32)
    torch.testing.assert_close(found.values, wanted, atol=1e-5, rtol=0)


@torch.no_grad()
def test_dino_alone_adapts_raw_tokens(folder):
    """Neither normed nor of unit length, and without the class token: what the adapter was trained on."""
    image = picture(112, 112)
    network = transformers.Dinov2Model.from_pretrained(folder / "dino").eval()
    _dino_tokens.use_hub_positions(network)
    tokens = network(_canvas.normalized(image[None]), output_hidden_states=True).hidden_states[-1][:, 1:]
    raw = tokens.transpose(1, 2).unflatten(2, (8, 8))
    wanted = normalize(adapter(folder, "dino")([raw])[0], dim=0).permute(1, 2, 0)
    found = build(folder, "dino").encode(ImageRef(image)).values
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_dino_alone_needs_no_diffusion(folder):
    assert build(folder, "dino", diffusion_weights="/nowhere").encode(ImageRef(picture(50, 60)))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        build(folder, diffusion_weights="/nowhere")


@pytest.mark.parametrize("variant", ["full", "dino"])
def test_contract(folder, variant):
    extractor = build(folder, variant)
    refs = [ImageRef(picture(*size, seed)) for seed, size in enumerate([(60, 80), (80, 60), (33, 200)])]
    for ref, found in zip(refs, extractor.encode_batch(refs), strict=True):
        torch.testing.assert_close(found.values, extractor.encode(ref).values, atol=1e-5, rtol=0)
        assert found.values.dtype == torch.float32
        assert not found.values.is_inference()
        torch.testing.assert_close(found.values.norm(dim=-1), torch.ones(found.values.shape[:2]))
    assert torch.equal(build(folder, variant).encode(refs[0]).values, extractor.encode(refs[0]).values)
    half = build(folder, variant, precision="bf16")
    assert (half.encode(refs[0]).values * extractor.encode(refs[0]).values).sum(-1).min() > 0.99
    assert (half.backbone, half.variant) == (extractor.backbone, "bf16")
    assert build(folder, variant, device="meta").encode(refs[0]).values.device.type == "meta"


def test_the_fingerprint_names_adapter_and_settings(folder, tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        torch.save(AggregationNetwork(CHANNELS["full"], 32, 32).state_dict(), tmp_path / "other.pth")
    options = [{}, {"timestep": 100}, {"freeu": False}, {"weights": str(tmp_path / "other.pth")}]
    backbones = {build(folder, **one).backbone for one in options} | {build(folder, "dino").backbone}
    assert len(backbones) == 5
    assert all(backbone.startswith("geoaware:") for backbone in backbones)


def test_what_does_not_fit_is_named(folder, tmp_path):
    with pytest.raises(ValueError, match="variant must be one of full, dino, got 'both'"):
        build(folder, variant="both")
    with pytest.raises(ValueError, match=r"dino\.pth joins 1 maps, variant 'full' has 4"):
        build(folder, weights=str(folder / "dino.pth"))
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        build(folder, weights=str(tmp_path / "none.pth"))
    torch.save(AggregationNetwork((48,), 32, 32).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(ValueError, match=r"takes maps of \(48,\) channels, got \(32,\)"):
        build(folder, "dino", weights=str(tmp_path / "wide.pth")).encode(ImageRef(picture(50, 60)))
