from types import SimpleNamespace

import pytest
import torch
import transformer_folders
from torch.nn.functional import normalize

from semcorr_ros.features import ImageRef, _canvas, dinov3
from semcorr_ros.weights import networks

SIDE = 8 * 16  # of tests: 8 x 8 cells


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dinov3")
    return folder, transformer_folders.save_transformer(folder, "dinov3_vit")


def build(saved, **options):
    return dinov3.build(dinov3.Dinov3Settings(weights=str(saved[0]), **({"side": SIDE} | options)))


def picture(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)


def test_class_and_register_tokens_are_left_out(saved):
    image = picture(SIDE, SIDE)
    with torch.no_grad():
        known = saved[1](_canvas.normalized(image[None]), output_hidden_states=True)
    for tokens, wanted in (("raw", known.hidden_states[-1]), ("normed", known.last_hidden_state)):
        found = build(saved, tokens=tokens).encode(ImageRef(image))
        wanted = normalize(wanted[0, 1 + 4 :], dim=-1).view(8, 8, 32)
        torch.testing.assert_close(found.values, wanted, atol=1e-5, rtol=0)


def test_the_default_grid_is_that_of_the_other_backbones(saved):
    features = build(saved, side=dinov3.Dinov3Settings.side).encode(ImageRef(picture(90, 120)))
    assert features.values.shape == (45, 60, 32)
    assert features.image_size == (90, 120)
    assert features.backbone.startswith("dinov3:")


@pytest.mark.parametrize("layout", ["letterbox", "unpadded"])
def test_a_batch_equals_single_images(saved, layout):
    refs = [ImageRef(picture(*size, seed)) for seed, size in enumerate([(60, 80), (80, 60), (60, 80)])]
    extractor = build(saved, layout=layout)
    for ref, found in zip(refs, extractor.encode_batch(refs), strict=True):
        torch.testing.assert_close(found.values, extractor.encode(ref).values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_keeps_the_frequencies_of_positions(saved, precision):
    full, half = build(saved), build(saved, precision=precision)
    for known, found in zip(full.network.buffers(), half.network.buffers(), strict=True):
        assert torch.equal(known, found)
    image = ImageRef(picture(60, 80))
    assert (full.encode(image).values * half.encode(image).values).sum(-1).min() > 0.999
    assert build(saved, device="meta").encode(image).values.device.type == "meta"


def test_an_old_transformers_is_named_with_the_fix(saved, monkeypatch):
    monkeypatch.setattr(networks, "transformers", SimpleNamespace(__version__="4.45.0"))
    with pytest.raises(
        ImportError,
        match=r"transformers 4\.45\.0 has no DINOv3ViTModel: pip install -U 'semcorr_ros\[foundation\]'",
    ):
        build(saved)


def test_a_model_of_another_kind_is_refused(tmp_path):
    transformer_folders.save_transformer(tmp_path, "dinov2")
    with pytest.raises(ValueError, match="type 'dinov2', expected dinov3_vit"):
        dinov3.build(dinov3.Dinov3Settings(weights=str(tmp_path)))
    with pytest.raises(ValueError, match=r"size must be one of vits16, .*, got 'b'"):
        dinov3.build(dinov3.Dinov3Settings(size="b"))
