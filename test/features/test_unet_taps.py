"""The decoder's layers against hooks on the whole, unmodified network."""

from dataclasses import replace

import diffusion_folders
import pytest
import torch

from semcorr_ros.features import _unet_taps
from semcorr_ros.features._unet_taps import FreeU

UNSCALED = FreeU(record_scaled=False)


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 16, 16, generator=generator), 50, torch.randn(2, 77, 16, generator=generator)


@pytest.fixture
def unet():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return diffusion_folders.make_unet()


@torch.no_grad()
def hooked(unet, inputs):
    """What leaves the blocks that the table of `_unet_taps` names."""
    latents, timestep, text = inputs
    places = {"s5": unet.up_blocks[0].resnets[1]}
    places |= {"s4": unet.up_blocks[1].attentions[1], "s3": unet.up_blocks[2].attentions[1]}
    found, handles = {}, []
    for name, module in places.items():

        def keep(module, args, output, name=name):
            found[name] = (output[0] if isinstance(output, tuple) else output).clone()

        handles.append(module.register_forward_hook(keep))
    unet(latents, timestep, text)
    for handle in handles:
        handle.remove()
    return found


@torch.no_grad()
def test_layers_are_those_of_the_whole_network(unet, inputs):
    wanted = hooked(unet, inputs)
    found = _unet_taps.layers(unet, *inputs)
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "s5": (2, 32, 2, 2),
        "s4": (2, 32, 4, 4),
        "s3": (2, 16, 8, 8),
    }
    _unet_taps.trim(unet)
    trimmed = _unet_taps.layers(unet, *inputs)
    for name in found:
        torch.testing.assert_close(found[name], wanted[name])
        assert torch.equal(found[name], trimmed[name])


@torch.no_grad()
def test_freeu_begins_as_in_diffusers(unet, inputs):
    """In the first resolution both rules are one; behind it ours goes by channels."""
    found = _unet_taps.layers(unet, *inputs, UNSCALED)
    unet.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    wanted = hooked(unet, inputs)
    torch.testing.assert_close(found["s5"], wanted["s5"], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found["s4"], wanted["s4"], atol=1e-3)
    unet.disable_freeu()
    assert not torch.allclose(found["s5"], hooked(unet, inputs)["s5"], atol=1e-3)


@torch.no_grad()
def test_freeu_by_channels_is_one_factor_as_long_as_channels_are_the_same(unet, inputs):
    """With the same factors for both of diffusers' resolutions its rule becomes ours up to s4."""
    found = _unet_taps.layers(unet, *inputs, UNSCALED)
    unet.enable_freeu(s1=0.9, s2=0.9, b1=1.2, b2=1.2)
    torch.testing.assert_close(found["s4"], hooked(unet, inputs)["s4"], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_recorded_layers_are_scaled_like_the_authors_do(unet, inputs):
    plain = _unet_taps.layers(unet, *inputs, UNSCALED)
    scaled = _unet_taps.layers(unet, *inputs, replace(UNSCALED, record_scaled=True))
    for name, factor in (("s5", 1.2), ("s4", 1.2), ("s3", 1.4)):
        half = plain[name].shape[1] // 2
        torch.testing.assert_close(scaled[name][:, :half], factor * plain[name][:, :half])
        assert torch.equal(scaled[name][:, half:], plain[name][:, half:])


def test_low_frequencies_are_the_mean_and_the_slowest_wave():
    side = 8
    step = torch.arange(side) * 2 * torch.pi / side
    slow, fast = torch.cos(step).expand(1, 1, side, side), torch.cos(2 * step).expand(1, 1, side, side)
    one = torch.ones(1, 1, side, side)
    scaled = _unet_taps.scale_low_frequencies(3 * one + fast, 0.2)
    torch.testing.assert_close(scaled, 0.6 * one + fast)
    # Half of a cosine is the wave of the other direction, which the authors leave.
    torch.testing.assert_close(_unet_taps.scale_low_frequencies(slow, 0.2), 0.6 * slow)


def test_a_network_without_these_layers_is_refused(unet, inputs):
    del unet.up_blocks[2:]
    with torch.no_grad(), pytest.raises(ValueError, match="UNet with 2 resolutions has no layers s5, s4, s3"):
        _unet_taps.layers(unet, *inputs)
