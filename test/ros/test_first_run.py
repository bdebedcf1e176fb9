"""A fresh machine: no kernel has been compiled. The node says so at once, and answers once it is ready."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pear_camera
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from methods.semalign3d.alignment.test_kernel_library import slow_compiler
from rclpy.action import ActionClient
from ros.conftest import UP_TIME, call, spin_until
from ros.test_lifecycle import classes, state
from ros.test_perceive import inline
from semcorr_ros.action import AlignClass
from semcorr_ros.srv import LoadClass, TransferKeypoints

from semcorr_ros.refusal import Code

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")


def fresh_machine(folder, **more: str) -> dict[str, str]:
    """Environment of a process: an empty home, no kernels, and a compiler that waits for the file `go`."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    kernels = (
        folder / "home/.cache/semcorr_ros"
    )  # where they would be kept; what came with a build is not seen
    environment = {"HOME": folder / "home", "TMPDIR": folder / "tmp", "SEMCORR_KERNELS": kernels}
    return {name: str(value) for name, value in environment.items()} | {"CXX": slow_compiler(folder)} | more


def statuses(ros, found: list[DiagnosticStatus]):
    return ros.create_subscription(DiagnosticArray, "/diagnostics", lambda m: found.extend(m.status), 5)


def kernels_of(status: DiagnosticStatus) -> str:
    return next(value.value for value in status.values if value.key == "alignment kernels")


def test_it_is_said_what_is_waited_for_and_then_answered(start, ros, model, settings, tmp_path):
    environment = fresh_machine(tmp_path)
    node = start("perceive", settings | {"__node": "fresh"}, **environment)
    told: list[DiagnosticStatus] = []
    subscription = statuses(ros, told)
    client = ros.create_client(TransferKeypoints, "/fresh/transfer_keypoints")
    assert client.wait_for_service(UP_TIME)
    request = TransferKeypoints.Request(class_name="pear", **inline(pear_camera.shoot(model, 70), "target"))
    early = call(ros, TransferKeypoints, "/fresh/transfer_keypoints", request)
    assert (early.error_code, early.success) == (Code.PREPARING, False)
    assert "kernels are being compiled, for" in early.message
    loaded = call(ros, LoadClass, "/fresh/load_class", LoadClass.Request(path="x"))
    assert loaded.error_code == Code.PREPARING
    assert _goal(ros, "fresh").error_code == Code.PREPARING
    assert state(ros, "fresh") == "unconfigured"
    assert classes(ros, "fresh") == []
    assert spin_until(ros, lambda: any("being compiled" in kernels_of(status) for status in told))
    assert {(status.level, "being compiled" in status.message) for status in told} == {
        (DiagnosticStatus.WARN, True)
    }
    assert (tmp_path / "begun").exists()
    assert os.listdir(tmp_path / "home/.cache/semcorr_ros") != []

    (tmp_path / "go").touch()
    assert spin_until(ros, lambda: state(ros, "fresh") == "active")
    (tmp_path / "begun").unlink()  # a second compilation would make it anew
    assert call(ros, TransferKeypoints, "/fresh/transfer_keypoints", request).success
    assert not (tmp_path / "begun").exists()
    assert spin_until(ros, lambda: kernels_of(told[-1]) == "ready")
    ros.destroy_subscription(subscription)
    ros.destroy_client(client)
    status, output = node.stop()
    assert status == 0, output
    assert output.index("compiled the alignment kernels in") < output.index("ready on")
    assert len(os.listdir(tmp_path / "home/.cache/semcorr_ros")) == 1  # kept for the next process


def test_a_lifecycle_manager_is_answered_when_they_are_ready(start, ros, settings, tmp_path):
    """Its configure succeeds; meanwhile nobody waits for it."""
    node = start("perceive", settings | {"__node": "held", "autostart": "false"}, **fresh_machine(tmp_path))
    assert state(ros, "held") == "unconfigured"
    early = TransferKeypoints.Request(class_name="pear")
    assert call(ros, TransferKeypoints, "/held/transfer_keypoints", early).error_code == Code.INACTIVE
    client = ros.create_client(ChangeState, "/held/change_state")
    assert client.wait_for_service(UP_TIME)
    transition = Transition(id=Transition.TRANSITION_CONFIGURE)
    answer = client.call_async(ChangeState.Request(transition=transition))

    def refused() -> bool:
        found = call(ros, TransferKeypoints, "/held/transfer_keypoints", early)
        return found.error_code == Code.PREPARING

    assert spin_until(ros, refused)
    assert state(ros, "held") == "unconfigured"
    assert not answer.done()
    (tmp_path / "go").touch()
    assert spin_until(ros, answer.done)
    assert answer.result().success
    assert state(ros, "held") == "inactive"
    ros.destroy_client(client)
    status, output = node.stop()
    assert status == 0, output


def test_a_signal_ends_the_node_and_its_compiler(start, ros, settings, tmp_path):
    node = start("perceive", settings, **fresh_machine(tmp_path))
    assert spin_until(ros, lambda: (tmp_path / "begun").exists())
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "Traceback" not in output
    assert "did not stop in time" not in output
    assert "ready on" not in output
    assert os.listdir(tmp_path / "home/.cache/semcorr_ros") == []
    (tmp_path / "go").touch()  # the compiler would now leave its library
    time.sleep(0.2)
    assert os.listdir(tmp_path / "home/.cache/semcorr_ros") == []


def test_without_a_compiler_it_is_slower_and_says_so(start, ros, model, settings, tmp_path):
    (tmp_path / "quick.yaml").write_text("optimize: {steps: 20}\n")
    missing = fresh_machine(tmp_path, CXX="no-such-compiler")
    node = start(
        "perceive", settings | {"__node": "bare", "quality": str(tmp_path / "quick.yaml")}, **missing
    )
    assert spin_until(ros, lambda: state(ros, "bare") == "active")
    told: list[DiagnosticStatus] = []
    subscription = statuses(ros, told)
    assert spin_until(ros, lambda: any("no-such-compiler" in kernels_of(status) for status in told))
    ros.destroy_subscription(subscription)
    request = TransferKeypoints.Request(class_name="pear", **inline(pear_camera.shoot(model, 70), "target"))
    assert call(ros, TransferKeypoints, "/bare/transfer_keypoints", request).success
    status, output = node.stop()
    assert status == 0, output
    assert output.count("apt install g++") == 1
    assert "alignments take over ten times longer" in output


def test_a_home_that_cannot_be_written_to(start, ros, model, settings, tmp_path):
    """The library goes to the temporary folder. A file where the home should be: root may write anywhere."""
    environment = fresh_machine(tmp_path)
    (tmp_path / "go").touch()
    (tmp_path / "home").rmdir()
    (tmp_path / "home").write_text("")
    (tmp_path / "quick.yaml").write_text("optimize: {steps: 20}\n")
    quick = {"quality": str(tmp_path / "quick.yaml"), "__node": "homeless"}
    node = start("perceive", settings | quick, **environment)
    assert spin_until(ros, lambda: state(ros, "homeless") == "active")
    request = TransferKeypoints.Request(class_name="pear", **inline(pear_camera.shoot(model, 70), "target"))
    assert call(ros, TransferKeypoints, "/homeless/transfer_keypoints", request).success
    status, output = node.stop()
    assert status == 0, output
    assert [path.suffix for path in (tmp_path / "tmp").glob("semcorr_ros-*/*")] == [".so"]


def _goal(ros, name: str) -> AlignClass.Result:
    client = ActionClient(ros, AlignClass, f"/{name}/align_class")
    try:
        assert client.wait_for_server(UP_TIME)
        sent = client.send_goal_async(AlignClass.Goal(class_name="pear"))
        assert spin_until(ros, sent.done)
        result = sent.result().get_result_async()
        assert spin_until(ros, result.done)
        return result.result().result
    finally:
        client.destroy()
