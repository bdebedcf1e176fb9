"""Sizes, names and traps of the published networks, and their checkpoint."""

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.errors import BackboneMismatchError
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere, positions
from semcorr_ros.methods.spherical.config import head_for, published
from semcorr_ros.methods.spherical.prototypes import SpherePrototypes
from semcorr_ros.methods.spherical.published import read_published

MAPPER_KEYS = [
    "0.weight", "0.bias", "2.norm1.weight", "2.norm1.bias", "2.norm2.weight", "2.norm2.bias",
    "2.attn.qkv.weight", "2.attn.proj.weight", "2.attn.proj.bias",
    "2.mlp.fc1.weight", "2.mlp.fc1.bias", "2.mlp.fc2.weight", "2.mlp.fc2.bias", "3.weight", "3.bias",
]  # fmt: skip


def parameter_count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_have_the_published_sizes():
    mapper = SphereMapper(published(768))
    assert parameter_count(mapper) == 2_069_763
    assert parameter_count(SpherePrototypes(768, 18)) == 5_936_640
    assert sorted(mapper.state_dict()) == sorted(MAPPER_KEYS)
    assert mapper.state_dict()["2.attn.qkv.weight"].shape == (1152, 384)
    assert mapper.config.heads == 6


def test_the_block_of_the_prototypes_is_one_module_under_two_names():
    prototypes = SpherePrototypes(64, 3)
    names = prototypes.state_dict()
    for end in ("attn.q.weight", "attn.k.weight", "attn.v.weight", "attn.proj.bias", "mlp.fc1.weight"):
        assert names[f"blocks.0.{end}"].data_ptr() == names[f"blocks.1.{end}"].data_ptr()


@pytest.mark.parametrize(("channels", "width"), [(64, 128), (416, 192), (768, 384)])
def test_other_backbones_get_half_their_channels_in_whole_heads(channels, width):
    assert head_for(channels).width == width
    assert SphereMapper(head_for(channels))(torch.randn(1, 4, 4, channels)).shape == (1, 4, 4, 3)


def attended(prototypes, spheres, category):
    """Cross-attention to one token, written out with its softmax."""
    x = prototypes.proj(spheres)
    one_hot = torch.nn.functional.one_hot(category, prototypes.categories).float()
    for block in prototypes.blocks:
        a = block.attn
        weight = (a.q(block.norm1(x))[:, None] * a.k(one_hot)[:, None]).sum(-1).softmax(-1)
        x = x + a.proj(weight * a.v(one_hot))
        x = x + block.mlp(block.norm2(x))
    return x


def test_prototypes_are_cross_attention_to_the_category():
    torch.manual_seed(0)
    prototypes = SpherePrototypes(64, 3)
    spheres, category = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    found = prototypes(spheres, category)
    torch.testing.assert_close(found, attended(prototypes, spheres, category))
    other = prototypes(spheres, torch.zeros(5, dtype=torch.long))
    assert (found[1] - other[1]).norm() > 1e-3, "the category matters"


def test_points_are_mapped_independently():
    prototypes = SpherePrototypes(64, 3)
    spheres, category = torch.randn(5, 3), torch.zeros(5, dtype=torch.long)
    torch.testing.assert_close(prototypes(spheres, category)[2:3], prototypes(spheres[2:3], category[2:3]))


def test_without_positions_a_mirrored_picture_is_the_same_set_of_tokens():
    tokens = torch.randn(1, 5, 6, 64)
    blind, told = SphereMapper(head_for(64, waves=0)), SphereMapper(head_for(64, waves=2))
    torch.testing.assert_close(blind(tokens.flip(2)), blind(tokens).flip(2))
    assert (told(tokens.flip(2)) - told(tokens).flip(2)).abs().max() > 1e-3


def test_positions_are_those_of_cell_centres():
    places = positions(2, 4, 1)
    assert places.shape == (8, 6)
    torch.testing.assert_close(
        places[:, :2], torch.tensor([(y, x) for y in (-0.5, 0.5) for x in (-0.75, -0.25, 0.25, 0.75)])
    )
    torch.testing.assert_close(places[0, 2:4], (places[0, :2] * torch.pi / 2).sin())


def checkpoint(path, channels=128, categories=4, **more):
    torch.manual_seed(1)
    mapper, prototypes = SphereMapper(published(channels)), SpherePrototypes(channels, categories)
    state = {f"sphere_mapper.{k}": v for k, v in mapper.state_dict().items()}
    state |= {f"prototypes.{k}": v for k, v in prototypes.state_dict().items()}
    state |= {"sphere.weight": torch.randn(1024, 3)}  # obsolete, in theirs too
    torch.save(state | more, path)
    return mapper, prototypes


def test_a_published_checkpoint_loads(tmp_path):
    wanted, prototypes = checkpoint(tmp_path / "200.pth")
    mapper, found = read_published(tmp_path / "200.pth")
    tokens = torch.randn(1, 3, 4, 128)
    torch.testing.assert_close(mapper(tokens), wanted(tokens))
    spheres, category = torch.randn(4, 3), torch.arange(4)
    torch.testing.assert_close(found(spheres, category), prototypes(spheres, category))


@pytest.mark.parametrize("kind", ["text", "list", "foreign", "short"])
def test_another_file_is_named(tmp_path, kind):
    path = tmp_path / "200.pth"
    if kind == "text":
        path.write_text("no checkpoint")
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "foreign":
        torch.save({"weight": torch.ones(2)}, path)
    else:
        checkpoint(path)
        state = torch.load(path, weights_only=True)
        torch.save({k: v for k, v in state.items() if "mlp" not in k}, path)
    with pytest.raises(ValueError, match=r"200\.pth"):
        read_published(path)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"sphere_mapper.0.weight": Evil()}, tmp_path / "200.pth")
    with pytest.raises(ValueError, match="safe to load"):
        read_published(tmp_path / "200.pth")


def features(lengths=None):
    values = torch.nn.functional.normalize(torch.randn(6, 8, 128), dim=-1)
    return FeatureMap(values, (60, 80), "dinov2:0", lengths=lengths)


def test_the_published_mapper_maps_every_cell_as_the_backbone_gave_it():
    mapper, seen = SphereMapper(published(128)), features(torch.full((6, 8), 40.0))
    torch.testing.assert_close(map_sphere(mapper, seen), mapper(40 * seen.values[None])[0])


def test_the_published_mapper_needs_lengths():
    with pytest.raises(BackboneMismatchError, match="--backbone dinov2"):
        map_sphere(SphereMapper(published(128)), features())


def test_ours_maps_a_coarse_grid_and_interpolates():
    spheres = map_sphere(SphereMapper(head_for(128, grid=4)), features())
    assert spheres.shape == (6, 8, 3)
    torch.testing.assert_close(spheres.norm(dim=-1), torch.ones(6, 8))
