"""Managed node: every transition, what is answered in which state, and how fast while inference runs."""

from __future__ import annotations

import gc
import signal
import time
import weakref
from dataclasses import replace

import pear_camera
import torch
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros.conftest import UP_TIME, call, spin_until
from ros.test_perceive import inline
from semcorr_ros.srv import ListClasses, LoadClass, TransferKeypoints

from semcorr_ros.methods.semalign3d.class_file import write_class

Response = TransferKeypoints.Response


def change(ros, node: str, transition: int, seconds: float = UP_TIME) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return call(ros, ChangeState, f"/{node}/change_state", request, seconds).success


def state(ros, node: str) -> str:
    return call(ros, GetState, f"/{node}/get_state", GetState.Request()).current_state.label


def transfer(ros, node: str, **fields):
    request = TransferKeypoints.Request(class_name="pear", **fields)
    return call(ros, TransferKeypoints, f"/{node}/transfer_keypoints", request)


def classes(ros, node: str) -> list[str]:
    answer = call(ros, ListClasses, f"/{node}/list_classes", ListClasses.Request())
    return [info.name for info in answer.classes]


def test_the_walk_through_all_states(start, ros, model, settings):
    node = start("perceive", settings | {"__node": "managed", "autostart": "false"})
    target = inline(pear_camera.shoot(model, 70), "target")
    assert state(ros, "managed") == "unconfigured"
    assert transfer(ros, "managed", **target).error_code == Response.INACTIVE
    assert classes(ros, "managed") == []
    refused = call(ros, LoadClass, "/managed/load_class", LoadClass.Request(path="x"))
    assert refused.error_code == LoadClass.Response.INACTIVE

    assert change(ros, "managed", Transition.TRANSITION_CONFIGURE)
    assert (state(ros, "managed"), classes(ros, "managed")) == ("inactive", ["pear"])
    assert transfer(ros, "managed", **target).error_code == Response.INACTIVE
    assert not _subscribed(ros, "managed")

    assert change(ros, "managed", Transition.TRANSITION_ACTIVATE)
    assert spin_until(ros, lambda: _subscribed(ros, "managed"))
    assert transfer(ros, "managed", **target).success

    assert change(ros, "managed", Transition.TRANSITION_DEACTIVATE)
    assert (state(ros, "managed"), classes(ros, "managed")) == ("inactive", ["pear"])
    assert spin_until(ros, lambda: not _subscribed(ros, "managed"))
    assert change(ros, "managed", Transition.TRANSITION_CLEANUP)
    assert (state(ros, "managed"), classes(ros, "managed")) == ("unconfigured", [])
    assert not change(ros, "managed", Transition.TRANSITION_ACTIVATE)  # not from here

    request = SetParameters.Request(parameters=[Parameter("seed", value=3).to_parameter_msg()])
    assert call(ros, SetParameters, "/managed/set_parameters", request).results[0].successful
    assert change(ros, "managed", Transition.TRANSITION_CONFIGURE)
    assert change(ros, "managed", Transition.TRANSITION_INACTIVE_SHUTDOWN)
    assert state(ros, "managed") == "finalized"
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "Traceback" not in output


def test_a_configure_that_fails_says_why_and_can_be_repeated(start, ros, settings, tmp_path):
    missing = settings | {"classes": f"[{tmp_path / 'gone.safetensors'}]", "autostart": "false"}
    node = start("perceive", missing | {"__node": "mended"})
    assert not change(ros, "mended", Transition.TRANSITION_CONFIGURE)
    assert state(ros, "mended") == "unconfigured"
    files = settings["classes"].strip("[]").split(",")
    request = SetParameters.Request(parameters=[Parameter("classes", value=files).to_parameter_msg()])
    assert call(ros, SetParameters, "/mended/set_parameters", request).results[0].successful
    assert change(ros, "mended", Transition.TRANSITION_CONFIGURE)
    assert classes(ros, "mended") == ["pear"]
    _, output = node.stop(signal.SIGTERM)
    assert "gone.safetensors" in output


def test_with_autostart_a_missing_class_file_ends_the_process(start, ros, settings, tmp_path):
    node = start("perceive", settings | {"classes": f"[{tmp_path / 'gone.safetensors'}]"})
    output, _ = node.process.communicate(timeout=UP_TIME)
    assert node.process.returncode == 2, output
    assert "gone.safetensors" in output
    assert "Traceback" not in output


def test_transitions_do_not_wait_for_inference(start, ros, model, settings, tmp_path):
    """Inference is held in the middle of a step that cannot be interrupted, until every transition has been
    answered: whichever waited for it would never be. `python -m benchmark.faults control` measures how long
    they take.
    """
    hold = tmp_path / "hold"
    hold.touch()
    node = start("perceive", settings | {"__node": "long"}, FABRICATED_ORDERS=str(tmp_path))
    client = ros.create_client(TransferKeypoints, "/long/transfer_keypoints")
    assert client.wait_for_service(UP_TIME)
    request = TransferKeypoints.Request(class_name="pear", **inline(pear_camera.shoot(model, 70), "target"))
    answer = client.call_async(request)
    assert spin_until(ros, lambda: (tmp_path / "holding").exists())
    assert not answer.done()
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE) * 2:
        assert change(ros, "long", transition)
    assert spin_until(ros, answer.done)  # by the first of them
    assert answer.result().error_code == Response.INACTIVE
    assert change(ros, "long", Transition.TRANSITION_DEACTIVATE)
    assert change(ros, "long", Transition.TRANSITION_CLEANUP)
    assert state(ros, "long") == "unconfigured"
    assert change(ros, "long", Transition.TRANSITION_CONFIGURE)  # beside the thread that is still held
    hold.unlink()
    assert change(ros, "long", Transition.TRANSITION_ACTIVATE)
    again = client.call_async(request)
    assert spin_until(ros, again.done)
    assert again.result().success
    ros.destroy_client(client)
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "Traceback" not in output


def test_a_class_is_loaded_beside_inference(start, ros, settings, model, tmp_path):
    """The call is answered while an alignment has not ended, and it does not end that one."""
    hold = tmp_path / "hold"
    hold.touch()
    write_class(tmp_path / "plum.safetensors", replace(model, info=replace(model.info, name="plum")))
    node = start("perceive", settings | {"__node": "busy"}, FABRICATED_ORDERS=str(tmp_path))
    client = ros.create_client(TransferKeypoints, "/busy/transfer_keypoints")
    assert client.wait_for_service(UP_TIME)
    request = TransferKeypoints.Request(class_name="pear", **inline(pear_camera.shoot(model, 70), "target"))
    answer = client.call_async(request)
    assert spin_until(ros, lambda: (tmp_path / "holding").exists())
    path = str(tmp_path / "plum.safetensors")
    assert call(ros, LoadClass, "/busy/load_class", LoadClass.Request(path=path)).success
    assert classes(ros, "busy") == ["pear", "plum"]
    assert not answer.done()
    hold.unlink()
    assert spin_until(ros, answer.done)
    assert answer.result().success
    ros.destroy_client(client)
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output


def test_the_process_ends_although_the_model_does_not(start, ros, model, settings, tmp_path):
    """Python would end under a thread that is in torch, and that would abort."""
    (tmp_path / "busy").touch()
    node = start("perceive", settings | {"__node": "stubborn"}, FABRICATED_ORDERS=str(tmp_path))
    client = ros.create_client(TransferKeypoints, "/stubborn/transfer_keypoints")
    assert client.wait_for_service(UP_TIME)
    client.call_async(
        TransferKeypoints.Request(class_name="pear", **inline(pear_camera.shoot(model, 70), "target"))
    )
    assert spin_until(ros, lambda: (tmp_path / "holding").exists())
    ros.destroy_client(client)
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "did not stop in time" in output
    assert "Traceback" not in output


def test_diagnostics_tell_the_state(start, ros, settings):
    node = start("perceive", settings | {"__node": "told", "autostart": "false"})
    got, memory = [], {}

    def take(message: DiagnosticArray) -> None:
        got.extend(value.value for value in message.status[0].values if value.key == "lifecycle state")
        memory.update((v.key, v.value) for v in message.status[0].values if v.key.startswith("peak memory"))

    subscription = ros.create_subscription(DiagnosticArray, "/diagnostics", take, 5)
    assert spin_until(ros, lambda: "unconfigured" in got)
    assert change(ros, "told", Transition.TRANSITION_CONFIGURE)
    assert spin_until(ros, lambda: "inactive" in got)
    assert float(memory["peak memory of the process MB"]) > 50
    if not torch.cuda.is_available():
        assert memory["peak memory on the GPU MB"] == "no GPU is used"
    ros.destroy_subscription(subscription)
    node.stop()


def test_cleanup_frees_the_classes(ros, settings, fabricated_backbone):
    """In this process, where the references can be seen."""
    from semcorr_ros.ros.perceive import PerceiveNode

    values = [
        Parameter("backbone", value="fabricated"),
        Parameter("classes", value=settings["classes"].strip("[]").split(",")),
        Parameter("autostart", value=False),
    ]
    node = PerceiveNode(parameter_overrides=values)
    try:
        node.trigger_configure()
        model = weakref.ref(node.state.session.bank.get("pear").model)
        extractor = weakref.ref(node.state.session.finder.providers.features)
        node.trigger_activate()
        node.trigger_deactivate()
        assert model() is not None
        node.trigger_cleanup()
        end = time.monotonic() + 5
        while (model() or extractor()) and time.monotonic() < end:
            gc.collect()
        assert model() is None
        assert extractor() is None
    finally:
        node.close()
        node.destroy_node()


def test_an_exception_in_a_callback_is_logged_and_the_node_lives_on(start, ros, settings):
    node = start("perceive", settings | {"__node": "hurt"}, SEMCORR_TEST_BREAK_TIMER="1")
    assert spin_until(ros, lambda: state(ros, "hurt") == "active")
    spin_until(ros, lambda: False, 0.5)
    assert classes(ros, "hurt") == ["pear"]
    status, output = node.stop()
    assert status == 0, output
    assert "RuntimeError: a callback that always fails\n(failure 1 of this kind" in output
    assert "(failure 2 of this kind" not in output  # not at every failure


def _subscribed(ros, node: str) -> bool:
    topics = dict(ros.get_subscriber_names_and_types_by_node(node, "/"))
    return "/image" in topics
