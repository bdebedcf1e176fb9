"""Results in messages: names, states, NaN instead of wrong positions, and codes that match the interfaces."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from methods.semalign3d.alignment import fabricated
from semcorr_ros.action import AlignClass
from semcorr_ros.msg import SemanticKeypoint
from semcorr_ros.srv import (
    DeleteDemonstration,
    LoadClass,
    StoreDemonstration,
    TransferKeypoints,
    UnloadClass,
)
from std_msgs.msg import Header

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import CategoryInfo, Correspondences, KeypointState
from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.judgement import judged
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.methods.semalign3d.model import Aligned
from semcorr_ros.refusal import Code
from semcorr_ros.ros import drawing, messages


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def _correspondences(states, xyz=None, scores=None) -> Correspondences:
    count = len(states)
    positions = torch.tensor([[0.1, 0.2, 0.9]]).repeat(count, 1) if xyz is None else xyz
    return Correspondences(
        points=torch.arange(2.0 * count).reshape(count, 2),
        score=torch.full((count,), 0.8) if scores is None else scores,
        state=torch.tensor([int(state) for state in states]),
        xyz=positions,
    )


def test_states_have_the_values_of_the_message():
    for state in KeypointState:
        assert getattr(SemanticKeypoint, state.name) == state


@pytest.mark.parametrize(
    "section",
    [
        TransferKeypoints.Response,
        LoadClass.Response,
        UnloadClass.Response,
        StoreDemonstration.Response,
        DeleteDemonstration.Response,
        AlignClass.Result,
    ],
)
def test_codes_have_the_values_of_the_interfaces(section):
    defined = [code for code in Code if hasattr(section, code.name)]
    assert Code.NONE in defined
    for code in defined:
        assert getattr(section, code.name) == code
    if section is TransferKeypoints.Response:
        missing = {code for code in Code if code < 100} - set(defined)  # a service call cannot be canceled
        assert missing == {Code.CANCELED, Code.PREEMPTED}


def _told(names, found: Correspondences, refused=False) -> list[SemanticKeypoint]:
    """Messages of points as a judgement leaves them."""
    info = CategoryInfo("pear", tuple(names), tuple(range(len(names))))
    answer = Answer(info, info.keypoint_names, judged(found, 0.1, refused), 0.9)
    return messages.instance_message(answer).keypoints


def test_a_visible_point_without_depth_has_no_position():
    (keypoint,) = _told(["rim"], _correspondences([KeypointState.VISIBLE], torch.full((1, 3), torch.nan)))
    assert keypoint.state == SemanticKeypoint.NO_DEPTH
    assert all(map(math.isnan, (keypoint.xyz.x, keypoint.xyz.y, keypoint.xyz.z)))
    assert (keypoint.pixel.x, keypoint.pixel.y) == (0.0, 1.0)


def test_no_depth_never_carries_a_position():
    (keypoint,) = _told(["rim"], _correspondences([KeypointState.NO_DEPTH]))
    assert math.isnan(keypoint.xyz.z)


def test_low_scores_are_rejected_and_order_is_kept():
    found = _correspondences([KeypointState.VISIBLE] * 2, scores=torch.tensor([0.05, 0.5]))
    first, second = _told(["a", "b"], found)
    assert (first.name, first.state) == ("a", SemanticKeypoint.REJECTED)
    assert (second.name, second.state) == ("b", SemanticKeypoint.VISIBLE)
    assert second.xyz.z == pytest.approx(0.9)


def test_of_a_refused_object_every_point_is_rejected_and_none_has_a_position():
    states = [KeypointState.VISIBLE, KeypointState.OCCLUDED, KeypointState.NO_DEPTH, KeypointState.UNKNOWN]
    found = replace(_correspondences(states), covariance=torch.eye(3).repeat(4, 1, 1))
    told = _told(list("abcd"), found, refused=True)
    assert [point.state for point in told] == [SemanticKeypoint.REJECTED] * 3 + [SemanticKeypoint.UNKNOWN]
    assert all(math.isnan(point.xyz.z) and point.covariance[0] == -1 for point in told)
    assert [point.pixel.x for point in told[:3]] == [0.0, 2.0, 4.0]
    assert math.isnan(told[3].pixel.x)


def test_pose_maps_canonical_points_to_the_camera(model):
    rotation, translation, scale = rotations.super_fibonacci(5)[3], torch.tensor([0.1, -0.2, 0.8]), 0.05
    seen, _ = fabricated.observe(model, 30, 20)
    placed = Aligned(model, seen, _alignment(model, rotation, translation, scale))
    nothing = _correspondences([KeypointState.VISIBLE])
    answer = Answer(model.info, ("k0",), nothing, 0.9, placed.pose, instance_id="pear_0")
    pose = messages.pose_message(answer)
    q = pose.pose.orientation
    turned = rotations.from_quaternion(torch.tensor([q.x, q.y, q.z, q.w]))
    assert torch.allclose(turned, rotation, atol=1e-5)
    assert (pose.pose.position.x, pose.scale, pose.metric) == (pytest.approx(0.1), pytest.approx(0.05), True)
    extent = model.dense.barycentric @ model.sparse * scale
    expected = extent.amax(0) - extent.amin(0)
    assert [pose.size.x, pose.size.y, pose.size.z] == pytest.approx(expected.tolist(), abs=1e-5)


def test_markers_and_overlay_leave_out_what_is_unknown():
    states = [KeypointState.VISIBLE, KeypointState.OCCLUDED, KeypointState.NO_DEPTH]
    xyz = torch.tensor([[0.0, 0, 1], [0.1, 0, 1], [0.2, 0, 1]])
    info = CategoryInfo("pear", ("a", "b", "c"), (0, 1, 2), edges=((0, 1), (1, 2)))
    points = judged(_correspondences(states, xyz), 0.1)
    instance = messages.instance_message(Answer(info, info.keypoint_names, points, 0.9, edges=info.edges))
    drawn = drawing.markers(Header(frame_id="cam"), [instance]).markers
    kinds = {marker.ns.rpartition("/")[2]: marker for marker in drawn[1:]}
    assert len(kinds["keypoints"].points) == 2
    assert len(kinds["skeleton"].points) == 2
    assert {marker.header.frame_id for marker in drawn} == {"cam"}
    picture = np.zeros((40, 60, 3), np.uint8)
    assert drawing.draw_overlay(picture, [instance]).any()
    assert not picture.any()


def _alignment(model, rotation, translation, scale) -> Alignment:
    keypoints = scale * model.sparse @ rotation.T + translation
    one = torch.ones(1)
    return Alignment(
        keypoints=keypoints[None],
        dense=(model.dense.barycentric @ keypoints)[None],
        rotation=rotation[None],
        translation=translation[None],
        scale=scale * one,
        focal=100 * one,
        energy=one,
        energy_by_term={},
        confidence=0.9 * one,
        camera=cameras.centered(100.0, (96, 128)),
        metric=True,
    )
