"""What `bench` measures of the nodes, in processes of their own."""

import json
import sys

import numpy as np
import pear_camera
import pytest
from methods.semalign3d.alignment import fabricated
from ros.conftest import ROOT

from semcorr_lab.timing import measure_bank, measure_service
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.ros.class_bank import tensor_bytes


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def test_residents_are_counted_in_a_real_bank(model, tmp_path, capsys):
    write_class(tmp_path / "pear.safetensors", model)
    assert measure_bank.main([str(tmp_path / "pear.safetensors"), "--count", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["as built"]["classes"] == 3
    assert found["as built"]["tensors_mb"] == pytest.approx(3 * tensor_bytes(model) / 1e6)
    large = measure_bank.widened(model, measure_bank.LARGE)
    assert found["768 channels"]["tensors_mb_per_class"] == pytest.approx(tensor_bytes(large) / 1e6)


def test_a_running_node_is_asked_over_dds(model, tmp_path, capsys, monkeypatch):
    write_class(tmp_path / "pear.safetensors", model)
    (tmp_path / "quick.yaml").write_text("optimize: {steps: 20}\n")
    shot = pear_camera.shoot(model, 70)
    focal, center = shot.camera.focal.numpy(), shot.camera.principal_point.numpy()
    np.savez(tmp_path / "seen.npz", image=shot.image, depth=shot.depth, focal=focal, center=center)
    settings = ["-p", "backbone:=fabricated", "-p", f"quality:={tmp_path / 'quick.yaml'}"]
    node = (sys.executable, str(ROOT / "test/ros/run_node.py"), "perceive", "--ros-args", *settings)
    monkeypatch.setattr(measure_service, "NODE", node)
    monkeypatch.setenv("ROS_DOMAIN_ID", "1")  # restored afterwards
    given = [str(tmp_path / "pear.safetensors"), str(tmp_path / "seen.npz"), "--calls", "3", "--threads", "1"]
    assert measure_service.main(given) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["round_trip_ms"]) == len(found["model_ms"]) == 3
    for whole, model_ms in zip(found["round_trip_ms"], found["model_ms"], strict=True):
        assert whole > model_ms > 0
    assert found["request_bytes"] == 5 * shot.image.shape[0] * shot.image.shape[1]

    (tmp_path / "none.safetensors").write_bytes(b"nonsense")
    with pytest.raises(RuntimeError, match="the node said"):
        measure_service.main([str(tmp_path / "none.safetensors"), str(tmp_path / "seen.npz"), "--calls", "1"])
