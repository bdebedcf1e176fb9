"""A full device, over DDS: what is idle is evicted, a refusal says so, and the next call is answered."""

from __future__ import annotations

from dataclasses import replace

import pear_camera
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from ros.conftest import UP_TIME, call, spin_until
from ros.test_perceive import Camera, inline
from semcorr_ros.action import AlignClass
from semcorr_ros.msg import Point2D
from semcorr_ros.srv import ListClasses, LoadClass, StoreDemonstration, TransferKeypoints

from semcorr_ros.methods.semalign3d.class_file import write_class

NODE = "full"
Response = TransferKeypoints.Response


@pytest.fixture(scope="module")
def settings(settings, class_file, model, tmp_path_factory):
    """Two classes, none of them active."""
    folder = tmp_path_factory.mktemp("classes")
    write_class(folder / "quince.safetensors", replace(model, info=replace(model.info, name="quince")))
    return settings | {
        "classes": f"[{class_file}, {folder / 'quince.safetensors'}]",
        "demonstration_folder": str(folder / "taught"),
        "__node": NODE,
    }


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """A folder: see fabricated_features/fabricated.py."""
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def node(start, ros, settings, orders):
    node = start("perceive", settings, FABRICATED_ORDERS=str(orders))
    yield node
    status, output = node.stop()
    assert status == 0, output
    assert "Traceback" not in output


@pytest.fixture
def full(orders):
    """While this file is there, the device is full; there is room again at the end of the test."""
    yield orders / "full"
    (orders / "full").unlink(missing_ok=True)


@pytest.fixture
def target(model):
    return inline(pear_camera.shoot(model, 70), "target")


def transfer(ros, **fields) -> Response:
    request = TransferKeypoints.Request(class_name="pear", **fields)
    return call(ros, TransferKeypoints, f"/{NODE}/transfer_keypoints", request)


def resident(ros) -> list[str]:
    answer = call(ros, ListClasses, f"/{NODE}/list_classes", ListClasses.Request())
    return [info.name for info in answer.classes if info.resident]


def test_idle_classes_make_room_and_the_call_is_answered_all_the_same(node, ros, target, orders):
    assert resident(ros) == ["pear", "quince"]
    expected = transfer(ros, **target)
    (orders / "full_once").touch()
    found = transfer(ros, **target)
    assert found.success, found.message
    assert found.keypoints == expected.keypoints
    assert resident(ros) == ["pear"]  # the one that was asked for has been read again
    quince = call(
        ros, TransferKeypoints, f"/{NODE}/transfer_keypoints",
        TransferKeypoints.Request(class_name="quince", **target),
    )  # fmt: skip
    assert quince.success, quince.message


def test_a_device_that_stays_full_refuses_with_the_reason_until_there_is_room(node, ros, target, full):
    full.touch()
    for _ in range(2):
        refused = transfer(ros, **target)
        assert (refused.success, refused.error_code) == (False, Response.OUT_OF_MEMORY)
        assert refused.message == (
            "the device is full, although every idle class was evicted: "
            "CUDA out of memory. Tried to allocate 2.00 GiB"
        )
    assert resident(ros) == ["pear"]  # read again by the last attempt
    full.unlink()
    assert transfer(ros, **target).success


def test_memory_of_the_machine_counts_too(node, ros, target, orders):
    """Really asked for: torch says it as a RuntimeError."""
    (orders / "no_memory").touch()
    refused = transfer(ros, **target)
    assert refused.error_code == Response.OUT_OF_MEMORY
    assert "you tried to allocate" in refused.message
    (orders / "no_memory").unlink()
    assert transfer(ros, **target).success


def test_goals_demonstrations_and_pictures_of_the_stream(node, ros, model, settings, full):
    shot = pear_camera.shoot(model, 70)
    camera, told = Camera(ros, shot), {}
    timer = ros.create_timer(0.1, camera.publish)

    def take(message: DiagnosticArray) -> None:
        told.update((item.key, item.value) for item in message.status[0].values)

    subscription = ros.create_subscription(DiagnosticArray, "/diagnostics", take, 5)
    goals = ActionClient(ros, AlignClass, f"/{NODE}/align_class")
    try:
        assert goals.wait_for_server(UP_TIME)
        assert spin_until(ros, lambda: goal(ros, goals).error_code == AlignClass.Result.NONE)
        full.touch()
        # The latest picture may have been encoded while there was room.
        assert spin_until(ros, lambda: goal(ros, goals).error_code == AlignClass.Result.OUT_OF_MEMORY)
        fields = {key.removeprefix("target_"): value for key, value in inline(shot, "target").items()}
        taught = StoreDemonstration.Request(
            demonstration_id="shown", class_name="pear", points=[Point2D(x=60.0, y=50.0)], **fields
        )
        refused = call(ros, StoreDemonstration, f"/{NODE}/store_demonstration", taught)
        assert refused.error_code == StoreDemonstration.Response.OUT_OF_MEMORY
        before = int(told.get("dropped OUT_OF_MEMORY", 0))
        path = settings["classes"].strip("[]").split(",")[0]
        assert call(ros, LoadClass, f"/{NODE}/load_class", LoadClass.Request(path=path, active=True)).success
        assert spin_until(ros, lambda: int(told.get("dropped OUT_OF_MEMORY", 0)) > before + 3)
        assert "Tried to allocate" in told["why OUT_OF_MEMORY"]
        published = int(told.get("pictures published", 0))
        full.unlink()
        assert spin_until(ros, lambda: int(told.get("pictures published", 0)) > published)
    finally:
        goals.destroy()
        ros.destroy_timer(timer)
        ros.destroy_subscription(subscription)
        camera.close()


def goal(ros, goals: ActionClient) -> AlignClass.Result:
    accepted = goals.send_goal_async(AlignClass.Goal(class_name="pear"))
    assert spin_until(ros, accepted.done)
    result = accepted.result().get_result_async()
    assert spin_until(ros, result.done)
    return result.result().result


def test_a_start_without_room_names_it_and_ends(start, settings, orders, full):
    full.touch()
    node = start("perceive", settings | {"__node": "stillborn"}, FABRICATED_ORDERS=str(orders))
    output, _ = node.process.communicate(timeout=UP_TIME)
    assert node.process.returncode == 2, output
    assert "backbone and classes do not fit the device 'auto': CUDA out of memory" in output
    assert "Traceback" not in output
