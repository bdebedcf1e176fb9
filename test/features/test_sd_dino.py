"""Stable Diffusion and DINOv2 together, on tiny random models of the real classes."""

import json
from pathlib import Path

import diffusion_folders
import numpy as np
import pytest
import torch
import transformer_folders
from torch.nn.functional import interpolate

from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.features import ImageRef, _diffusion_dino, _disk_cache, _pair_reduction, precomputed, sd_dino
from semcorr_ros.features._diffusion import Settings

SIDE = 128  # of tests: 8 x 8 cells


def picture(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 5, 6, generator=generator)
    smooth = interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth[0].permute(1, 2, 0) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    diffusion_folders.save_diffusion(folder / "sd")
    transformer_folders.save_transformer(folder / "dino", "dinov2")
    return {"diffusion_weights": str(folder / "sd"), "dino_weights": str(folder / "dino")}


def build(folders, **options):
    return sd_dino.build(sd_dino.SdDinoSettings(**({"side": SIDE} | folders | options)))


def networks(folders, side=SIDE):
    paths = tuple(Path(folders[name]) for name in ("diffusion_weights", "dino_weights"))
    return _diffusion_dino.DiffusionDino(paths, Settings(100, side=side), "fp32", "cpu")


def test_both_halves_have_equal_say(folders):
    image = ImageRef(picture(128, 128))
    values = build(folders).encode(image).values
    assert values.shape == (8, 8, 16 + 32 + 32 + 32)
    for half in (values[..., :80], values[..., 80:]):
        torch.testing.assert_close(half.norm(dim=-1), torch.full((8, 8), 0.5**0.5))


def test_it_is_what_published_files_of_the_same_layers_give(folders, tmp_path):
    """GeoAware-SC's `<stem>_sd.pt` and `<stem>_dino.pt`, joined by `precomputed`."""
    image = ImageRef(picture(96, 128), "a")
    layers = networks(folders).layers([image])
    torch.save({name: layers[name] for name in ("s3", "s4", "s5")}, tmp_path / "a_sd.pt")
    torch.save(layers["dino"], tmp_path / "a_dino.pt")
    read = precomputed.build(precomputed.PrecomputedFeaturesSettings(tmp_path)).encode(image)
    torch.testing.assert_close(build(folders).encode(image).values, read.values, atol=1e-5, rtol=0)


def test_a_batch_equals_single_images(folders):
    refs = [ImageRef(picture(*size, seed)) for seed, size in enumerate([(60, 80), (80, 60), (50, 50)])]
    for reduction in ("none", "pair"):
        extractor = build(folders, reduction=reduction)
        for ref, found in zip(refs, extractor.encode_batch(refs), strict=True):
            torch.testing.assert_close(found.values, extractor.encode(ref).values, atol=1e-5, rtol=0)
            assert found.image_size == tuple(ref.image.shape[:2])


def test_precision_and_device_are_followed(folders):
    image = ImageRef(picture(60, 80))
    full, half = build(folders), build(folders, precision="bf16")
    assert (full.encode(image).values * half.encode(image).values).sum(-1).min() > 0.999
    assert (half.backbone, half.variant) == (full.backbone, "bf16")
    assert build(folders, device="meta").encode(image).values.device.type == "meta"


def test_the_fingerprint_names_weights_and_settings(folders, tmp_path):
    transformer_folders.save_transformer(tmp_path, "dinov2", seed=1)
    options = [{}, {"timestep": 50}, {"freeu": True}, {"reduction": "pair"}, {"dino_weights": str(tmp_path)}]
    assert len({build(folders, **one).backbone for one in options}) == len(options)
    with pytest.raises(ValueError, match="reduction must be one of none, pair, got 'faiss'"):
        build(folders, reduction="faiss")


def test_a_dino_with_registers_is_refused(folders, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "dinov2_with_registers"}))
    with pytest.raises(ValueError, match="type 'dinov2_with_registers', expected dinov2"):
        build(folders, dino_weights=str(tmp_path))


def layers_of(seed, ranks=None):
    """Random layers of a pair; where a rank is given, of that many independent directions."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, channels, side in (("s3", 24, 12), ("s4", 40, 6), ("s5", 40, 3)):
        rank = ranks or channels
        basis = torch.randn(rank, channels, generator=generator) * torch.linspace(3, 0.2, rank)[:, None]
        tokens = torch.randn(2, side, side, rank, generator=generator) @ basis + 5
        found[name] = tokens.permute(0, 3, 1, 2)
    return found


def test_reduced_layers_are_principal_components_of_the_pair():
    """Against the singular value decomposition of the stacked tokens, whose signs are free."""
    layers = layers_of(0)
    found = _pair_reduction.reduce_together(layers, width=10)
    assert found.shape == (2, 30, 12, 12)
    for name, part in zip(("s3", "s4", "s5"), found.split(10, dim=1), strict=True):
        tokens = layers[name].permute(0, 2, 3, 1).reshape(-1, layers[name].shape[1]).double().numpy()
        centred = tokens - tokens.mean(0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:10]
        side = layers[name].shape[-1]
        known = torch.from_numpy(centred @ axes.T).reshape(2, side, side, 10).permute(0, 3, 1, 2)
        if name == "s5":  # by way of the cells of s4
            known = interpolate(known, size=(6, 6), mode="bilinear", align_corners=False)
        known = interpolate(known, size=(12, 12), mode="bilinear", align_corners=False)
        ours, theirs = (one.permute(0, 2, 3, 1).reshape(-1, 10).double() for one in (part, known))
        torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, atol=2e-3, rtol=1e-3)


def test_the_authors_random_approximation_agrees():
    tokens = layers_of(1, ranks=8)["s3"].permute(0, 2, 3, 1).reshape(-1, 24)
    centred = tokens - tokens.mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(42)
        theirs = centred @ torch.pca_lowrank(centred, q=10)[2]
    ours = centred @ _pair_reduction.principal_axes(centred, 10)
    torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, atol=1e-2, rtol=1e-3)


def test_features_of_a_pair_share_a_basis_that_depends_on_the_pair(folders):
    extractor = build(folders, reduction="pair")
    source, other = (ImageRef(picture(96, 128, seed)) for seed in (0, 1))
    first, second = extractor.encode_pair(source, other)
    assert (first.values.shape, second.values.shape) == ((6, 8, 112), (6, 8, 112))
    assert first.backbone == extractor.backbone
    again, _ = extractor.encode_pair(source, other)
    assert torch.equal(first.values, again.values)
    assert not torch.allclose(first.values, extractor.encode_pair(source, source)[0].values, atol=1e-3)
    backwards = extractor.encode_pair(other, source)
    torch.testing.assert_close(
        torch.einsum("hwc,ijc->hwij", first.values, second.values),
        torch.einsum("hwc,ijc->hwij", backwards[1].values, backwards[0].values),
        atol=1e-3,
        rtol=0,
    )
    assert not first.values.is_inference()


def test_an_image_of_many_pairs_is_encoded_once(folders):
    extractor, encoded = build(folders, reduction="pair"), []
    real = extractor._networks.layers
    extractor._networks.layers = lambda refs: encoded.append(len(refs)) or real(refs)
    refs = [ImageRef(picture(64, 64, seed)) for seed in range(3)]
    for a in refs:
        extractor.encode(a)
        for b in refs:
            extractor.encode_pair(a, b)
    assert encoded == [1, 1, 1]


def test_features_that_need_a_partner_are_not_cached(folders, tmp_path):
    extractor = build(folders, reduction="pair")
    with pytest.raises(ValueError, match="sd_dino"):
        _disk_cache.DiskCache(extractor, DiskStore(tmp_path, 1000, "cpu"))
