import copy
import json

import numpy as np
import pytest
import torch
import transformer_folders
from PIL import Image
from torch.nn.functional import normalize

from semcorr_ros.features import (
    FEATURES,
    ImageRef,
    _canvas,
    _dino_tokens,
    _vision_transformer,
    dinov2,
    precomputed,
)
from semcorr_ros.geometry import grid, letterbox

SIDE = 8 * 14  # of tests: 8 x 8 cells


def picture(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(
        small, size=(height, width), mode="bilinear", align_corners=False
    )
    return (smooth[0].permute(1, 2, 0) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Saved models by kind, with the models themselves."""

    class Saved(dict):
        def __missing__(self, kind):  # when a test asks for it: some need a newer transformers
            folder = tmp_path_factory.mktemp(kind)
            self[kind] = folder, transformer_folders.save_transformer(folder, kind)
            return self[kind]

    return Saved()


def build(folders, kind="dinov2", **options):
    options = {"side": SIDE} | options
    return dinov2.build(dinov2.Dinov2Settings(weights=str(folders[kind][0]), **options))


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers"])
def test_tokens_are_the_raw_output_of_the_last_block(folders, kind):
    """hidden_states[-1] and last_hidden_state differ by the final layer norm."""
    image = picture(SIDE, SIDE)
    pixels = _canvas.normalized(image[None])
    with torch.no_grad():
        known = folders[kind][1](pixels, output_hidden_states=True)
    prefix = 1 if kind == "dinov2" else 5
    for tokens, wanted in (("raw", known.hidden_states[-1]), ("normed", known.last_hidden_state)):
        found = build(folders, kind, tokens=tokens, positions="hf").encode(ImageRef(image))
        wanted = wanted[0, prefix:].view(8, 8, 32)
        torch.testing.assert_close(found.values, normalize(wanted, dim=-1), atol=1e-5, rtol=0)
        torch.testing.assert_close(found.values * found.lengths[..., None], wanted, atol=1e-4, rtol=0)
    assert not torch.allclose(known.hidden_states[-1], known.last_hidden_state, atol=0.1)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (80, 60), (33, 200), (300, 300), (8, 9)])
@pytest.mark.parametrize("layout", ["letterbox", "unpadded"])
def test_any_image_becomes_unit_features_without_padding(folders, height, width, layout):
    features = build(folders, layout=layout).encode(ImageRef(picture(height, width)))
    h, w, channels = features.values.shape
    assert (max(h, w), channels) == (8, 32)
    assert h == max(1, round(8 * height / max(height, width)))
    assert w == max(1, round(8 * width / max(height, width)))
    assert features.image_size == (height, width)
    assert features.window is None
    assert features.values.dtype == torch.float32
    assert features.values.is_contiguous()
    assert not features.values.is_inference(), "could not enter an energy that is differentiated"
    torch.testing.assert_close(features.values.norm(dim=-1), torch.ones(h, w))


def test_a_cell_shows_the_pixels_it_says(folders):
    """T1, end to end: what changes in the picture at a pixel changes most the cell that holds the pixel."""
    plain = torch.full((375, 500, 3), 128, dtype=torch.uint8)
    network = copy.deepcopy(folders["dinov2"][1])
    network.encoder.layer = torch.nn.ModuleList()  # without attention a token shows its own patch
    network.layernorm = torch.nn.Identity()
    place = _vision_transformer.placer("letterbox", letterbox.SIDE, 14)
    extractor = _vision_transformer.TokenExtractor(network, "fabricated:0", place)
    marked = plain.clone()
    marked[47:54, 101:107] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    tokens = [
        normalize(
            _vision_transformer.patch_tokens(network, _canvas.lay_out(image, place((375, 500)))[None])[0],
            dim=-1,
        )
        for image in (plain, marked)
    ]
    change = (tokens[1] - tokens[0]).norm(dim=-1)
    assert int(change.argmax()) == 792, "column 12, row 13 of the 60 x 60 letterbox"
    features = [extractor.encode(ImageRef(image)) for image in (plain, marked)]
    change = (features[1].values - features[0].values).norm(dim=-1)
    x, y = grid.centers(features[0]).reshape(-1, 2)[change.argmax()]
    assert abs(x - 104) <= 6
    assert abs(y - 50) <= 6


def test_the_letterbox_is_black_before_it_is_normalized():
    place = letterbox.letterboxed((375, 500))
    image = picture(375, 500)
    canvas = _canvas.lay_out(image, place)
    assert canvas.shape == (840, 840, 3)
    assert not canvas[:105].any()
    assert not canvas[735:].any()
    wanted = Image.fromarray(image.numpy()).resize((840, 630), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(canvas[105:735].numpy(), np.asarray(wanted))
    pixels = _canvas.normalized(canvas[None])[0, :, 0, 0]
    torch.testing.assert_close(pixels, torch.tensor([-2.1179, -2.0357, -1.8044]), atol=1e-4, rtol=0)


def test_published_files_of_the_same_tokens_give_the_same_features(folders, tmp_path):
    """A `<stem>_dino.pt` holds the raw tokens of the letterbox, and `precomputed` cuts the same image out."""
    extractor = build(folders, side=840)
    image = picture(96, 128)
    live = extractor.encode(ImageRef(image))
    canvas = _canvas.lay_out(image, letterbox.letterboxed((96, 128)))
    with torch.no_grad():
        tokens = extractor.network(_canvas.normalized(canvas[None])).last_hidden_state[0, 1:]
    torch.save(tokens.T.reshape(1, 32, 60, 60), tmp_path / "a_dino.pt")
    read = precomputed.build(precomputed.PrecomputedFeaturesSettings(tmp_path)).encode(ImageRef(image, "a"))
    assert live.values.shape == (45, 60, 32)
    torch.testing.assert_close(read.values, live.values, atol=1e-5, rtol=0)


def authors_positions(learned, rows, columns):
    """The formula of the authors' code, written out: source position = (cell + .5) / factor - .5."""
    trained = round((learned.shape[1] - 1) ** 0.5)
    weights = []
    for cells in (rows, columns):
        at = (torch.arange(cells) + 0.5) / ((cells + 0.1) / trained) - 0.5
        distance = (at[:, None] - (torch.arange(-2, trained + 2))[None]).abs()
        near = ((1.25 * distance - 2.25) * distance * distance + 1).where(distance <= 1, torch.tensor(0.0))
        far = -0.75 * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        full = torch.where((distance > 1) & (distance < 2), far, near)
        inside = full[:, 2:-2].clone()  # the border's values go on outside
        inside[:, 0] += full[:, :2].sum(1)
        inside[:, -1] += full[:, -2:].sum(1)
        weights.append(inside)
    values = learned[0, 1:].view(trained, trained, -1)
    return torch.einsum("ri,cj,ijk->rck", *weights, values).flatten(0, 1)


def test_positions_are_resampled_as_in_the_hub(folders):
    network = folders["dinov2"][1]
    learned = network.embeddings.position_embeddings.detach()
    unused = torch.zeros(1, 1, learned.shape[-1])
    found = _dino_tokens.hub_positions(learned, 14, unused, 8 * 14, 6 * 14)
    torch.testing.assert_close(found[:, :1], learned[:, :1])
    torch.testing.assert_close(found[0, 1:], authors_positions(learned, 8, 6), atol=1e-5, rtol=0)
    assert _dino_tokens.hub_positions(learned, 14, unused, 70, 70) is learned
    tokens = torch.zeros(1, 1 + 48, 32)
    assert not torch.allclose(
        found, network.embeddings.interpolate_pos_encoding(tokens, 8 * 14, 6 * 14), atol=1e-3
    )


def test_hub_and_hf_positions_give_other_features_but_not_with_registers(folders):
    image = ImageRef(picture(60, 80))
    hub, hf = (build(folders, positions=name) for name in ("hub", "hf"))
    assert hub.backbone != hf.backbone
    cosine = (hub.encode(image).values * hf.encode(image).values).sum(-1)
    assert 0.9 < cosine.min() < 0.99999
    hub, hf = (build(folders, "dinov2_with_registers", positions=name) for name in ("hub", "hf"))
    assert hub.backbone == hf.backbone
    assert torch.equal(hub.encode(image).values, hf.encode(image).values)


@pytest.mark.parametrize("layout", ["letterbox", "unpadded"])
def test_a_batch_equals_single_images(folders, layout):
    refs = [
        ImageRef(picture(*size, seed)) for seed, size in enumerate([(60, 80), (80, 60), (50, 50), (60, 80)])
    ]
    extractor = build(folders, layout=layout)
    together = extractor.encode_batch(refs)
    for ref, found in zip(refs, together, strict=True):
        alone = extractor.encode(ref)
        assert found.image_size == alone.image_size
        torch.testing.assert_close(found.values, alone.values, atol=1e-5, rtol=0)
    assert torch.equal(extractor.encode(refs[0]).values, extractor.encode(refs[0]).values)
    assert extractor.encode_batch([]) == []


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_is_comparable_and_says_so(folders, precision):
    full, half = build(folders), build(folders, precision=precision)
    image = ImageRef(picture(60, 80))
    assert next(half.network.parameters()).element_size() == 2
    cosine = (full.encode(image).values * half.encode(image).values).sum(-1)
    assert cosine.min() > 0.999
    assert half.encode(image).values.dtype == torch.float32
    assert half.backbone == full.backbone
    assert half.variant != full.variant


def test_every_tensor_follows_the_device(folders):
    """The meta device refuses to mix with tensors of the CPU, as a GPU does."""
    features = build(folders, device="meta").encode(ImageRef(picture(60, 80)))
    assert features.values.device.type == "meta"
    assert features.values.shape == (6, 8, 32)


def test_the_fingerprint_names_weights_and_settings(folders, tmp_path):
    known = build(folders).backbone
    assert known.startswith("dinov2:")
    assert len(known) == len("dinov2:") + 12
    assert build(folders).backbone == known
    others = [{"tokens": "normed"}, {"positions": "hf"}, {"layout": "unpadded"}, {"side": 14 * 9}]
    backbones = {build(folders, **options).backbone for options in others}
    transformer_folders.save_transformer(tmp_path, "dinov2", seed=1)
    backbones.add(dinov2.build(dinov2.Dinov2Settings(weights=str(tmp_path), side=SIDE)).backbone)
    assert len(backbones - {known}) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "tiny"}, "size must be one of small, base, large, giant, got 'tiny'"),
        ({"tokens": "last"}, "tokens must be one of raw, normed"),
        ({"positions": "none"}, "positions must be one of hub, hf"),
        ({"layout": "stretched"}, "layout must be one of letterbox, unpadded"),
        ({"precision": "int8"}, "precision must be one of fp32, fp16, bf16"),
        ({"side": 100}, "multiple of the patch size 14, got 100"),
    ],
)
def test_bad_settings_are_named(folders, options, message):
    with pytest.raises(ValueError, match=message):
        build(folders, **options)


@pytest.mark.usefixtures("wrong_shapes")
def test_an_image_of_another_kind_is_refused(folders):
    with pytest.raises(ValueError, match="RGB image uint8"):
        build(folders).encode(ImageRef(torch.zeros(8, 8, 3)))


def test_weights_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        dinov2.build(dinov2.Dinov2Settings(weights=str(tmp_path / "nothing")))
    folder = tmp_path / "model"
    transformer_folders.save_transformer(folder, "dinov3_vit")
    with pytest.raises(ValueError, match="type 'dinov3_vit', expected dinov2 or dinov2_with_registers"):
        dinov2.build(dinov2.Dinov2Settings(weights=str(folder)))
    transformer_folders.save_transformer(folder, "dinov2")
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"num_hidden_layers": 3}))
    with pytest.raises(ValueError, match=r"lacks 1\d weights of Dinov2Model, first encoder\.layer\.2"):
        dinov2.build(dinov2.Dinov2Settings(weights=str(folder)))
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be loaded as Dinov2Model"):
        dinov2.build(dinov2.Dinov2Settings(weights=str(folder)))


def test_missing_weights_are_named_by_the_manifest():
    pytest.importorskip("semcorr_ros.weights")
    with pytest.raises(FileNotFoundError, match="dinov2-giant-registers"):
        dinov2.build(dinov2.Dinov2Settings(size="giant", registers=True))


PUBLISHED = {
    "dinov2": "dinov2-base",
    "dinov3": "dinov3-vitb16",
    "stable_diffusion": "stable-diffusion-1-5",
    "sd_dino": "stable-diffusion-1-5",
    "geoaware": "geoaware-sd-dino",
}


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("dinov2", "weights"),
        ("dinov3", "weights"),
        ("stable_diffusion", "weights"),
        ("sd_dino", "diffusion_weights"),
        ("geoaware", "weights"),
    ],
)
def test_a_given_place_is_the_only_one_looked_at(name, setting, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    for known in ("dinov2-base", "dinov3-vitb16", "stable-diffusion-1-5", "geoaware-sd-dino"):
        (tmp_path / known).mkdir()  # what is looked up by name is not what was asked for
    backbone = FEATURES.load(name)
    with pytest.raises(FileNotFoundError, match=rf"nothing at .*gone.*weights fetch {PUBLISHED[name]}"):
        backbone.make({setting: str(tmp_path / "gone")}, {})
