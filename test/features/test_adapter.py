"""Another backbone's features through a trained adapter."""

import pytest
import torch
from features.test_aggregation import trained

from semcorr_ros.features import FEATURES, ImageRef, tiny
from semcorr_ros.features._adapter_network import Adapter, HeadConfig, head_for, split, write_adapter
from semcorr_ros.storage import read_tensors, write_tensors


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("adapter") / "adapter.safetensors"
    backbone = tiny.build(tiny.TinySettings()).backbone
    write_adapter(path, Adapter(trained([64], 64), backbone, {"backbone_options": ""}))
    return path


def make(file, **options):
    return FEATURES.load("adapter").make({"weights": str(file), **options}, {"device": "cpu"})


def picture():
    return torch.randint(0, 256, (60, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_cells_are_the_network_s_of_the_backbone_below(file):
    plain = tiny.build(tiny.TinySettings()).encode(ImageRef(picture()))
    found = make(file).encode(ImageRef(picture()))
    wanted = trained([64], 64)([8 * plain.values.permute(2, 0, 1)[None]])[0].permute(1, 2, 0)
    wanted = wanted / wanted.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(found.values, wanted, atol=1e-5, rtol=0)
    assert found.image_size == plain.image_size


def test_another_file_is_another_backbone(file, tmp_path):
    other = tmp_path / "other.safetensors"
    tensors, header = read_tensors(file)
    write_tensors(other, tensors | {"mixing_weights": torch.tensor([3.0])}, header)
    names = {make(file).backbone, make(other).backbone, make(file).backbone}
    assert len(names) == 2
    assert all(name.startswith("adapter:") for name in names)
    assert make(file).from_pixels


def test_what_is_needed_is_said():
    with pytest.raises(ValueError, match="--weights FILE, a file of train_adapter"):
        FEATURES.load("adapter").make({}, {})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("other", "no file of train_adapter"),
        ("backbone", "nothing can be put on top"),
        ("nested", "nothing can be put on top"),
        ("weights", "same network, other weights"),
        ("damaged", "is damaged"),
    ],
)
def test_a_file_that_does_not_fit_is_named(file, tmp_path, kind, said):
    tensors, header = read_tensors(file)
    names = {"backbone": "nothing:0", "nested": "adapter:0"}
    if kind == "other":
        header["schema"] = "semcorr_ros.class"
    elif kind == "damaged":
        del tensors["mixing_weights"]
    else:
        header["backbone"] = names.get(kind, "tiny:000000000000")
    path = tmp_path / "x.safetensors"
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=rf"x\.safetensors.*{said}"):
        make(path)


def test_joined_maps_get_blocks_of_their_own():
    head = head_for("sd_dino:1", 3968)
    assert head == HeadConfig((640, 1280, 1280, 768), 768, 192)
    assert head_for("tiny:1", 64) == HeadConfig((64,), 256, 64)
    assert head_for("other:1", 96, sources=(32, 64)).sources == (32, 64)
    with pytest.raises(ValueError, match="--sources 32 32 are not the 96 channels"):
        head_for("other:1", 96, sources=(32, 32))
    with pytest.raises(ValueError, match="multiple of 32"):
        head_for("tiny:1", 64, width=50)


def test_every_joined_map_has_numbers_of_about_one():
    values = torch.nn.functional.normalize(torch.randn(3, 4, 24), dim=-1) * torch.tensor(
        [0.1] * 8 + [1.0] * 16
    )
    first, second = split(values, (8, 16))
    assert (first.shape, second.shape) == ((1, 8, 3, 4), (1, 16, 3, 4))
    for one in (first, second):
        torch.testing.assert_close(one.square().mean(1), torch.ones(1, 3, 4))
    with pytest.raises(ValueError, match="takes 20 channels, got 24"):
        split(values, (8, 12))
