"""A class without metric size learns it from what the camera shows: not at once, not from everybody, once."""

from __future__ import annotations

from dataclasses import replace

import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import Frame
from semcorr_ros.features import FEATURES
from semcorr_ros.finder import Finder
from semcorr_ros.live_providers import LiveProviders
from semcorr_ros.masks import MASKS
from semcorr_ros.methods.semalign3d.alignment import presets
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.serving.class_bank import ClassBank
from semcorr_ros.serving.class_size import AGREEING, KEPT, SURE, agreed, size_shown
from semcorr_ros.serving.resident import tensor_bytes


@pytest.fixture(scope="module")
def model():
    return replace(fabricated.make_class(), metric_scale=0.0)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes")
    write_class(folder / "pear.safetensors", model)
    for name, size in (("plum", 0.0), ("fig", 0.05)):
        other = replace(model, info=replace(model.info, name=name), metric_scale=size)
        write_class(folder / f"{name}.safetensors", other)
    (folder / "quick.yaml").write_text("optimize: {steps: 120}\n")
    return folder


@pytest.fixture
def bank(folder):
    bank = ClassBank("cpu", fabricated.BACKBONE)
    bank.load(folder / "pear.safetensors")
    bank.said = []
    bank.say = bank.said.append
    return bank


def show(bank: ClassBank, *sizes: float, name: str = "pear") -> float:
    for size in sizes:
        bank.measure(bank.hold(name), size)
    return bank.get(name).metric_scale


def test_sizes_that_agree_give_their_median_and_others_do_not_count():
    assert agreed([0.05] * (AGREEING - 1)) == 0
    assert agreed([0.05, 0.051, 0.049]) == 0.05
    assert agreed([0.05, 0.3, 0.051, 0.01, 0.049]) == 0.05
    assert agreed([0.01, 0.02, 0.04, 0.08, 0.16]) == 0


def test_a_class_learns_its_size_once(bank, model):
    before = bank.hold("pear").model
    assert show(bank, 0.05, 0.052) == 0
    assert bank.hold("pear").model is before  # what is followed need not be searched anew
    told = []
    bank.on_change = lambda: told.append(bank.get("pear").metric_scale)
    assert show(bank, 0.048) == pytest.approx(0.05)
    assert told == [pytest.approx(0.05)]
    assert bank.hold("pear").model.metric_scale == pytest.approx(0.05)
    assert bank.hold("pear").model.diameter > 0 == model.diameter
    assert show(bank, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0) == pytest.approx(0.05)
    (said,) = bank.said
    assert "'pear' was built without a metric size; as seen here, 0.05 metres" in said


def test_only_the_latest_sizes_count(bank):
    assert show(bank, 0.01, 0.02, 0.04, 0.08, 0.16) == 0
    assert show(bank, 0.05, 0.05) == 0.05
    assert len(bank.get("pear").sizes) == KEPT


def test_a_size_of_the_file_is_kept(bank, folder):
    bank.load(folder / "fig.safetensors")
    assert show(bank, 1.0, 1.0, 1.0, 1.0, name="fig") == 0.05
    assert not bank.said


def test_an_evicted_class_keeps_what_it_learned_and_another_file_does_not(bank, folder, model):
    small = ClassBank("cpu", fabricated.BACKBONE, int(1.5 * tensor_bytes(model)))
    path = folder / "sloe.safetensors"
    write_class(path, replace(model, info=replace(model.info, name="sloe")))
    small.load(path)
    assert show(small, 0.05, 0.05, name="sloe") == 0
    small.load(folder / "plum.safetensors")
    assert small.get("sloe").held is None
    assert show(small, 0.05, name="sloe") == pytest.approx(0.05)  # of votes before and after
    small.hold("plum")
    assert small.get("sloe").held is None
    assert small.hold("sloe").model.metric_scale == small.get("sloe").metric_scale == pytest.approx(0.05)
    small.hold("plum")
    write_class(path, replace(model, info=replace(model.info, name="sloe", flat=True)))
    assert small.hold("sloe").metric_scale == small.hold("sloe").model.metric_scale == 0
    small.load(path)
    assert small.get("sloe").sizes == ()


@pytest.fixture
def answer(model, fabricated_backbone) -> Answer:
    shot = pear_camera.shoot(model, 70)
    depth = fabricated.DepthMap(torch.from_numpy(shot.depth), True)
    features = FEATURES.load("fabricated").make({}, {})
    masks = MASKS.load("attention").make({}, {})
    finder = Finder(LiveProviders(features, masks=(masks,)), seed=0)
    scene = finder.scene(Frame(torch.from_numpy(shot.image), shot.camera, depth))
    return finder.find(SemAlign3D(model, presets.preset("fast", "pear")), scene)


def test_a_sure_placement_at_measured_depth_shows_the_size(answer):
    assert answer.confidence > SURE
    assert size_shown(answer, sensor=True) == pytest.approx(0.05, rel=0.1)
    assert size_shown(replace(answer, confidence=SURE - 0.01), sensor=True) == 0
    assert size_shown(answer, sensor=False) == 0  # a network's metres
    assert size_shown(replace(answer, pose=replace(answer.pose, metric=False)), sensor=True) == 0
    placed = replace(answer.placed, seen=replace(answer.placed.seen, camera=None))
    assert size_shown(replace(answer, placed=placed), sensor=True) == 0
