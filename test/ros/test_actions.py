"""~/align_class over DDS: feedback, cancel, deadline, preemption and a code for every failure."""

from __future__ import annotations

import math
import time

import pear_camera
import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from ros.conftest import UP_TIME, call, spin_until
from ros.test_perceive import Camera, xyz
from semcorr_ros.action import AlignClass
from sensor_msgs.msg import RegionOfInterest
from std_srvs.srv import Trigger

Goal, Result = AlignClass.Goal, AlignClass.Result
LONG_STEPS = 10_000_000  # hours: what ends, was ended


@pytest.fixture(scope="module")
def camera(ros, model):
    """Publishes all the time."""
    camera = Camera(ros, pear_camera.shoot(model, 70))
    timer = ros.create_timer(0.1, camera.publish)
    yield camera
    ros.destroy_timer(timer)
    camera.close()


@pytest.fixture(scope="module")
def quick(start, settings, ros, camera):
    """Client of a node that needs a fraction of a second."""
    node = start("perceive", settings | {"__node": "quick"})
    client = Client(ros, "quick")
    assert spin_until(ros, lambda: client.run(class_name="pear").error_code == Result.NONE)
    yield client
    client.close()
    status, output = node.stop()
    assert status == 0, output
    assert "Traceback" not in output


@pytest.fixture(scope="module")
def slow(start, settings, ros, camera, tmp_path_factory):
    """Client of a node that would take for ever."""
    path = tmp_path_factory.mktemp("quality") / "long.yaml"
    path.write_text(f"optimize: {{steps: {LONG_STEPS}}}\n")
    node = start("perceive", settings | {"quality": str(path), "__node": "slow"})
    client = Client(ros, "slow")
    instant = {"class_name": "pear", "deadline": Duration(nanosec=1)}
    assert spin_until(ros, lambda: client.run(**instant).error_code == Result.TIMEOUT)  # no NO_IMAGE now
    yield client
    client.close()
    status, output = node.stop()
    assert status == 0, output
    assert "Traceback" not in output


class Client:
    """Goals to one node, and what it says about them."""

    def __init__(self, ros, name: str):
        self.ros = ros
        self._client = ActionClient(ros, AlignClass, f"/{name}/align_class")
        assert self._client.wait_for_server(UP_TIME)

    def send(self, **fields):
        feedback = []
        future = self._client.send_goal_async(
            Goal(**fields), lambda message: feedback.append(message.feedback)
        )
        assert spin_until(self.ros, future.done)
        handle = future.result()
        assert handle.accepted
        return handle, handle.get_result_async(), feedback

    def wait(self, result):
        assert spin_until(self.ros, result.done)
        return result.result()

    def run(self, **fields):
        return self.wait(self.send(**fields)[1]).result

    def close(self) -> None:
        self._client.destroy()


def stage(client: Client, feedback: list, name: str) -> None:
    assert spin_until(client.ros, lambda: any(item.stage == name for item in feedback))


def test_result_and_feedback(quick, camera):
    _, result, feedback = quick.send(class_name="pear")
    answer = quick.wait(result)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    found = answer.result
    assert (found.error_code, found.message) == (Result.NONE, "")
    assert found.header.frame_id == "optical"
    assert found.pose.metric
    assert len(found.keypoints.keypoints) == 10
    errors = [
        math.dist(xyz(keypoint), camera.shot.keypoints[i])
        for i, keypoint in enumerate(found.keypoints.keypoints)
    ]
    assert sorted(errors)[5] < 0.01
    assert spin_until(quick.ros, lambda: feedback[-1].progress == 1.0)
    stages = [item.stage for item in feedback]
    assert stages[0] == "queued"
    assert {"features", "initialize", "optimize", "select"} <= set(stages)
    progress = [item.progress for item in feedback]
    assert progress == sorted(progress)
    assert math.isnan(feedback[0].best_score)
    assert feedback[-1].best_score == pytest.approx(found.pose.confidence, abs=1e-6)
    assert any(math.isfinite(item.best_energy) for item in feedback)


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"class_name": "spoon"}, Result.CLASS_UNKNOWN, "'spoon'"),
        ({"deadline": Duration(sec=-1)}, Result.BAD_REQUEST, "deadline"),
        ({"when_busy": 7}, Result.BAD_REQUEST, "PREEMPT=1"),
        ({"roi": RegionOfInterest(x_offset=100, width=90, height=90)}, Result.BAD_REQUEST, "128x96"),
        ({"roi": RegionOfInterest(width=12, height=10)}, Result.NOT_FOUND, "region"),
        ({"deadline": Duration(nanosec=1000)}, Result.TIMEOUT, "time"),
    ],
)
def test_every_failure_has_its_code(quick, fields, code, said):
    _, result, _ = quick.send(**({"class_name": "pear"} | fields))
    answer = quick.wait(result)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == code
    assert said in answer.result.message


def test_a_region_around_the_object(quick, camera):
    (x0, y0), (x1, y1) = camera.shot.pixels.min(0), camera.shot.pixels.max(0)
    roi = RegionOfInterest(x_offset=int(x0), y_offset=int(y0), width=int(x1 - x0), height=int(y1 - y0))
    assert quick.run(class_name="pear", roi=roi).error_code == Result.NONE


def test_cancel_stops_the_work(slow):
    """`python -m benchmark.faults cancels` measures how fast."""
    handle, result, feedback = slow.send(class_name="pear")
    stage(slow, feedback, "optimize")
    handle.cancel_goal_async()
    answer = slow.wait(result)
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert answer.result.error_code == Result.CANCELED
    # The thread is free again: the next goal is worked on, not queued behind hours.
    handle, result, feedback = slow.send(class_name="pear")
    stage(slow, feedback, "optimize")
    handle.cancel_goal_async()
    slow.wait(result)


def test_deadline(slow):
    begin = time.monotonic()
    found = slow.run(class_name="pear", deadline=Duration(sec=1))
    assert found.error_code == Result.TIMEOUT
    assert time.monotonic() - begin > 0.9


def test_preempt_refuse_and_reset(slow):
    _, first, feedback = slow.send(class_name="pear")
    stage(slow, feedback, "optimize")
    assert slow.run(class_name="pear", when_busy=Goal.REFUSE).error_code == Result.BUSY
    _, queued, _ = slow.send(class_name="pear")
    _, second, feedback = slow.send(class_name="pear", when_busy=Goal.PREEMPT)
    for preempted in (first, queued):
        answer = slow.wait(preempted)
        assert (answer.status, answer.result.error_code) == (GoalStatus.STATUS_ABORTED, Result.PREEMPTED)
    stage(slow, feedback, "optimize")
    answer = call(slow.ros, Trigger, "/slow/reset", Trigger.Request())
    assert answer.success
    assert "aborted 1 goals" in answer.message
    assert slow.wait(second).result.error_code == Result.PREEMPTED


def test_several_goals_are_queued_and_too_many_are_busy(slow):
    sent = [slow.send(class_name="pear")]
    stage(slow, sent[0][2], "optimize")
    sent += [slow.send(class_name="pear") for _ in range(5)]  # four may wait
    assert slow.wait(sent[-1][1]).result.error_code == Result.BUSY
    for handle, result, feedback in sent[:-1]:  # in order: each starts once those before it are gone
        stage(slow, feedback, "optimize")
        handle.cancel_goal_async()
        assert slow.wait(result).result.error_code == Result.CANCELED
