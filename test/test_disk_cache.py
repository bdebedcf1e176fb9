"""What depth and mask networks said is read the second time, and only for the same question."""

from dataclasses import replace

import depth_networks
import mask_networks
import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated
from model_folders import ModelFolders

from semcorr_ros import plugins
from semcorr_ros.artifacts import Observation
from semcorr_ros.depth import _disk_cache as depth_cache
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.geometry import cameras
from semcorr_ros.masks import _disk_cache as mask_cache
from semcorr_ros.observations import unannotated

SIZE = (40, 50)
CAMERA = cameras.centered(60.0, SIZE)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    savers = {
        "depth_anything": depth_networks.save_depth_anything,
        "depth_pro": depth_networks.save_depth_pro,
        "sam": mask_networks.save_sam,
        "sam2": mask_networks.save_sam2,
        "sam3": mask_networks.save_sam3,
    }
    return ModelFolders(tmp_path_factory.mktemp("weights"), savers)


@pytest.fixture
def build(folders):
    def build(kind, name, **settings):
        module = plugins.load(kind, name)
        return module.build(module.Config(weights=str(folders / name), **settings))

    return build


def image(seed=0):
    return torch.randint(0, 256, (*SIZE, 3), generator=torch.Generator().manual_seed(seed)).byte()


def remembered(cache, network, folder):
    return cache.DiskCache(network, DiskStore(folder, 10**9, "cpu"))


@pytest.mark.parametrize(("name", "side"), [("depth_anything", 70), ("depth_pro", 224)])
def test_depth_is_read_as_it_was(build, tmp_path, name, side):
    network = build("depth", name, side=side)
    first = remembered(depth_cache, network, tmp_path).from_image(image())
    again = remembered(depth_cache, network, tmp_path)
    found = again.from_image(image())
    assert (again.read, again.computed) == (1, 0)
    assert torch.equal(found.values, first.values)
    assert (found.metric, found.focal) == (first.metric, first.focal)
    for other in (image(1), image()[:, :49], image().flip(0)):
        fresh = again.from_image(other)
        assert torch.equal(fresh.values, network.from_image(other).values)
    again.from_image(image(), CAMERA)
    assert (again.read, again.computed) == (1, 4)
    half = remembered(depth_cache, build("depth", name, side=side, precision="bf16"), tmp_path)
    half.from_image(image())
    assert half.computed == 1


def test_settings_and_weights_name_a_depth_model(build, tmp_path):
    names = {build("depth", "depth_anything", side=70, **more).model for more in ({}, {"decode": "inverse"})}
    assert len(names) == 2
    assert all(name.startswith("depth_anything:") for name in names)
    depth_networks.save_depth_anything(tmp_path, seed=1)
    module = plugins.load("depth", "depth_anything")
    assert module.build(module.Config(weights=str(tmp_path), side=70)).model not in names
    twice = [build("depth", "depth_anything", side=70, precision=p) for p in ("fp32", "bf16")]
    assert twice[0].model == twice[1].model
    assert twice[0].variant != twice[1].variant


def question():
    """A picture of the pear that is looked for, and what belongs to it."""
    model = fabricated.make_class()
    shot = torch.from_numpy(pear_camera.shoot(model, 70, scale=0.08).image)
    seen = Observation(shot, pear_camera.read_features(shot))
    return unannotated("pear", seen.features.image_size), seen, model


@pytest.mark.parametrize("name", ["sam", "sam2", "sam3"])
def test_a_mask_is_read_only_for_the_same_prompt(build, tmp_path, name):
    settings = {"threshold": 0.0} if name == "sam3" else {}
    network = build("masks", name, **settings)
    sample, seen, model = question()
    first = remembered(mask_cache, network, tmp_path).mask(sample, seen, model)
    again = remembered(mask_cache, network, tmp_path)
    found = again.mask(sample, seen, model)
    assert (again.read, again.computed) == (1, 0)
    assert found is not None
    assert torch.equal(found, first)
    elsewhere = torch.zeros_like(found)
    elsewhere[5:30, 80:120] = True
    for other in (replace(seen, mask=elsewhere), replace(seen, image=seen.image.flip(0))):
        fresh, wanted = again.mask(sample, other, model), network.mask(sample, other, model)
        assert (fresh is None and wanted is None) or torch.equal(fresh, wanted)
    assert again.computed == 2


def test_nothing_found_is_an_answer_too(build, tmp_path):
    network = build("masks", "sam")
    sample, seen, _ = question()
    for computed in (1, 0):  # nothing is annotated, and there is no class
        cache = remembered(mask_cache, network, tmp_path)
        assert cache.mask(sample, seen, None) is None
        assert cache.computed == computed


def test_the_text_is_part_of_the_question(build, tmp_path):
    sample, seen, model = question()
    cache = remembered(mask_cache, build("masks", "sam3", threshold=0.0), tmp_path)
    cache.mask(sample, seen, model)
    cache.mask(replace(sample, category="mug"), seen, model)
    assert cache.computed == 2


def test_an_image_is_encoded_once_for_all_that_is_looked_for_in_it(build):
    network, calls = build("masks", "sam"), []
    encode = network._network.get_image_embeddings
    network._network.get_image_embeddings = lambda pixels: calls.append(1) or encode(pixels)
    sample, seen, model = question()
    elsewhere = torch.zeros(seen.image.shape[:2], dtype=torch.bool)
    elsewhere[5:30, 80:120] = True
    for mask in (None, elsewhere, None):
        network.mask(sample, replace(seen, mask=mask), model)
    assert len(calls) == 1
    network.mask(sample, replace(seen, image=seen.image.flip(0)), model)
    assert len(calls) == 2


def test_damaged_results_are_computed_again(build, tmp_path, caplog):
    network = build("depth", "depth_anything", side=70)
    known = remembered(depth_cache, network, tmp_path).from_image(image())
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:40])
    cache = remembered(depth_cache, network, tmp_path)
    assert torch.equal(cache.from_image(image()).values, known.values)
    assert cache.computed == 1
    assert path.name in caplog.text
