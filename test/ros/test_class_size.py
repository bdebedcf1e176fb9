"""A class without metric size learns it from what the camera shows: not at once, not from everybody, once."""

from __future__ import annotations

import signal
from dataclasses import replace

import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros.conftest import call, spin_until
from ros.test_perceive import inline
from semcorr_ros.msg import ClassCatalogue
from semcorr_ros.srv import ListClasses, TransferKeypoints

from semcorr_ros import pipeline
from semcorr_ros.masks._depth_segments import diameter
from semcorr_ros.matching import View
from semcorr_ros.methods.semalign3d.alignment import presets
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.ros.class_bank import ClassBank, tensor_bytes
from semcorr_ros.ros.class_size import AGREEING, KEPT, SURE, agreed, size_shown


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
    assert diameter(bank.hold("pear").model) > 0 == diameter(model)
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


@pytest.fixture(scope="module")
def view(model) -> View:
    shot = pear_camera.shoot(model, 70)
    image = torch.from_numpy(shot.image)
    depth = fabricated.DepthMap(torch.from_numpy(shot.depth), True)
    extras = pipeline.Extras(depth=depth, camera=shot.camera)
    seen = pipeline.observe(model, image, pear_camera.read_features(image), extras)
    found = pipeline.align(model, seen, presets.preset("fast", "pear"), torch.Generator().manual_seed(0))
    return View(seen, found)


def test_a_sure_placement_at_measured_depth_shows_the_size(view):
    assert float(view.aligned.confidence[0]) > SURE
    assert size_shown(view, sensor=True) == pytest.approx(0.05, rel=0.1)
    unsure = replace(view.aligned, confidence=torch.full_like(view.aligned.confidence, SURE - 0.01))
    assert size_shown(View(view.seen, unsure), sensor=True) == 0
    assert size_shown(view, sensor=False) == 0  # a network's metres
    assert size_shown(View(view.seen, replace(view.aligned, metric=False)), sensor=True) == 0
    assert size_shown(View(replace(view.seen, camera=None), view.aligned), sensor=True) == 0


def test_over_dds_the_catalogue_tells_the_size(start, ros, folder, model):
    node = start(
        "perceive",
        {
            "__node": "sizer",
            "backbone": "fabricated",
            "threads": "1",
            "quality": str(folder / "quick.yaml"),
            "classes": f"[{folder}/pear.safetensors]",
        },
    )
    told = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    ros.create_subscription(ClassCatalogue, "/sizer/classes", lambda message: told.append(message), latched)
    for azimuth in (60, 70, 80, 90):
        shot = pear_camera.shoot(model, azimuth)
        for depth in (False, True):
            request = TransferKeypoints.Request(class_name="pear", **inline(shot, "target", depth=depth))
            answer = call(ros, TransferKeypoints, "/sizer/transfer_keypoints", request)
            assert answer.success, answer.message
            assert answer.pose.metric == depth
    listed = call(ros, ListClasses, "/sizer/list_classes", ListClasses.Request()).classes[0]
    assert listed.metric_scale == pytest.approx(0.05, rel=0.1)
    assert spin_until(ros, lambda: bool(told) and told[-1].classes[0].metric_scale == listed.metric_scale)
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert output.count("was built without a metric size") == 1
