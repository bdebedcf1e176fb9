"""Places on the sphere appended to another backbone's features."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from semcorr_ros.features import FEATURES, ImageRef, tiny
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere
from semcorr_ros.methods.spherical.artifacts import SphereClasses
from semcorr_ros.methods.spherical.class_file import write_classes
from semcorr_ros.methods.spherical.config import MatchConfig, head_for
from semcorr_ros.storage import read_tensors, write_tensors


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    mapper = SphereMapper(head_for(64, grid=6)).requires_grad_(False).eval()
    path = tmp_path_factory.mktemp("sphere") / "sphere.safetensors"
    backbone = tiny.build(tiny.TinySettings()).backbone
    write_classes(path, SphereClasses(mapper, MatchConfig(), (), backbone, {"backbone_options": ""}))
    return path


def make(file, **options):
    return FEATURES.load("spherical").make({"weights": str(file), **options}, {"device": "cpu"})


def test_the_similarity_of_two_cells_is_that_of_matching(file):
    image = torch.randint(0, 256, (60, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    plain = tiny.build(tiny.TinySettings()).encode(ImageRef(image))
    found = make(file, alpha=0.3).encode(ImageRef(image))
    mapper = SphereMapper(head_for(64, grid=6))
    tensors, _ = read_tensors(file)
    mapper.load_state_dict({k.partition(".")[2]: v for k, v in tensors.items()})
    spheres = map_sphere(mapper.eval(), plain).flatten(0, 1)[::97]
    features, both = plain.values.flatten(0, 1)[::97], found.values.flatten(0, 1)[::97]
    wanted = 0.7 * features @ features.T + 0.3 * spheres @ spheres.T
    torch.testing.assert_close(both @ both.T, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(both[:, :64], math.sqrt(0.7) * normalize(features, dim=-1), atol=1e-5, rtol=0)


def test_another_file_or_weight_is_another_backbone(file, tmp_path):
    names = {make(file).backbone, make(file, alpha=0.3).backbone}
    assert len(names) == 2
    assert make(file).backbone in names
    assert all(name.startswith("spherical:") for name in names)
    assert make(file).from_pixels


@pytest.mark.parametrize(("alpha", "said"), [(0.0, "alpha"), (1.0, "alpha")])
def test_a_weight_that_leaves_one_part_out_is_refused(file, alpha, said):
    with pytest.raises(ValueError, match=said):
        make(file, alpha=alpha)


def test_what_is_needed_is_said():
    with pytest.raises(ValueError, match="--weights FILE, a file of train_sphere"):
        FEATURES.load("spherical").make({}, {})


@pytest.mark.parametrize("kind", ["other", "backbone", "weights", "head"])
def test_a_file_that_does_not_fit_is_named(file, tmp_path, kind):
    tensors, header = read_tensors(file)
    if kind == "other":
        header["method"] = "semalign3d"
    elif kind == "backbone":
        header["backbone"] = "nothing:0"
    elif kind == "weights":
        header["backbone"] = "tiny:000000000000"
    else:
        del header["head"]["width"]
    path = tmp_path / "x.safetensors"
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=r"x\.safetensors"):
        make(path)
