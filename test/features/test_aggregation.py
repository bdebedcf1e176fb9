"""Names, shapes and arithmetic of the published adapters."""

import math

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from semcorr_ros.features import _aggregation
from semcorr_ros.features._aggregation import AggregationNetwork

FULL, DINO = (640, 1280, 1280, 768), (768,)
SCALES = {"logit_scale": (), "self_logit_scale": ()}


def published_shapes(channels):
    """Of the state dict, as its description lists them."""
    shapes = {"mixing_weights": (len(channels),), **SCALES}
    for i, count in enumerate(channels):
        convolutions = {"conv1": (192, count, 1, 1), "conv2": (192, 192, 3, 3), "conv3": (768, 192, 1, 1)}
        if count != 768:
            convolutions["shortcut"] = (768, count, 1, 1)
        for name, shape in convolutions.items():
            shapes[f"bottleneck_layers.{i}.0.{name}.weight"] = shape
            for norm in ("weight", "bias"):
                shapes[f"bottleneck_layers.{i}.0.{name}.norm.{norm}"] = shape[:1]
    return shapes


def trained(channels, width=64, seed=0):
    """A small network none of whose parameters is as it was initialized."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AggregationNetwork(channels, width, 32).eval().requires_grad_(False)
        for name, parameter in network.named_parameters():
            if "conv" not in name or "norm" in name:
                parameter += 0.5 * torch.randn_like(parameter)
    return network


@pytest.mark.parametrize(
    ("channels", "blocks", "total"),
    [(FULL, [1_097_472, 1_711_872, 1_711_872, 628_992], 5_150_214), (DINO, [628_992], 628_995)],
)
def test_parameters_are_those_of_published_files(channels, blocks, total):
    network = AggregationNetwork(channels)
    assert [sum(p.numel() for p in block.parameters()) for block in network.bottleneck_layers] == blocks
    assert sum(p.numel() for p in network.parameters()) == total
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert found == published_shapes(channels)
    assert network.logit_scale.item() == pytest.approx(math.log(1 / 0.07))
    assert network.self_logit_scale.item() == pytest.approx(2.302585, abs=1e-6)


def by_hand(state, maps):
    """The architecture written out on the state dict alone."""

    def step(source, name):
        weight = state[f"{name}.weight"]
        convolved = functional.conv2d(source, weight, padding=weight.shape[-1] // 2)
        norm = state[f"{name}.norm.weight"], state[f"{name}.norm.bias"]
        return functional.group_norm(convolved, 32, *norm, eps=1e-5)

    shares = state["mixing_weights"].exp() / state["mixing_weights"].exp().sum()
    total = 0
    for i, source in enumerate(maps):
        name = f"bottleneck_layers.{i}.0"
        inner = step(step(step(source, f"{name}.conv1").relu(), f"{name}.conv2").relu(), f"{name}.conv3")
        shortcut = step(source, f"{name}.shortcut") if f"{name}.shortcut.weight" in state else source
        total = total + shares[i] * (inner + shortcut).relu()
    return total


def test_output_is_the_mix_of_residual_blocks():
    network = trained((24, 48, 64))
    generator = torch.Generator().manual_seed(1)
    maps = [torch.randn(2, count, 6, 5, generator=generator) for count in (24, 48, 64)]
    found = network(maps)
    assert found.shape == (2, 64, 6, 5)
    assert found.min() >= 0
    torch.testing.assert_close(found, by_hand(network.state_dict(), maps), atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"maps of \(24, 48, 64\) channels, got \(48, 24, 64\)"):
        network([maps[1], maps[0], maps[2]])


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_state_dict_comes_back(tmp_path, ending):
    network, path = trained((24, 64)), tmp_path / f"best{ending}"
    state = network.state_dict()
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    loaded = _aggregation.load_aggregation(path)
    assert loaded.channels == (24, 64)
    assert loaded.state_dict().keys() == state.keys()
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, state[name])


def test_what_only_training_reads_may_be_absent(tmp_path):
    state = {name: value for name, value in trained((64,)).state_dict().items() if name not in SCALES}
    torch.save(state, tmp_path / "best.pth")
    assert _aggregation.load_aggregation(tmp_path / "best.pth").channels == (64,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bottleneck_layers.0.0.conv2.weight"), "conv2.weight"),
        (lambda state: state.update(last_layer=torch.zeros(3)), "last_layer"),
        (lambda state: state.clear(), "not a GeoAware-SC adapter"),
        (lambda state: state.update(epoch=3), "no table of tensors"),
        (lambda state: state.update({"bottleneck_layers.0.0.conv3.weight": torch.zeros(20, 32, 1, 1)}), "32"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, change, message):
    state = dict(trained((24,)).state_dict())
    change(state)
    path = tmp_path / "best.pth"
    torch.save(state, path)
    with pytest.raises(ValueError, match=message) as raised:
        _aggregation.load_aggregation(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_or_not_safe_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*best\.pth"):
        _aggregation.load_aggregation(tmp_path / "best.pth")
    torch.save(
        {"network": trained((24,))}, tmp_path / "pickled.pth"
    )  # a whole module: loading would run code
    with pytest.raises(ValueError, match="not a tensor file that is safe to load"):
        _aggregation.load_aggregation(tmp_path / "pickled.pth")


def test_loading_leaves_the_random_numbers_of_others_alone(tmp_path):
    torch.save(trained((64,)).state_dict(), tmp_path / "best.pth")
    before = torch.random.get_rng_state()
    _aggregation.load_aggregation(tmp_path / "best.pth")
    assert torch.equal(torch.random.get_rng_state(), before)
