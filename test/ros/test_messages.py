"""Results in messages: names, states, NaN instead of wrong positions, and codes that match the interfaces."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from methods.semalign3d.alignment import fabricated
from semcorr_ros.action import AlignClass
from semcorr_ros.msg import ClassPose, Point2D, SemanticKeypoint, SemanticKeypoints
from semcorr_ros.srv import (
    DeleteDemonstration,
    LoadClass,
    StoreDemonstration,
    TransferKeypoints,
    UnloadClass,
)
from std_msgs.msg import Header

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import CategoryInfo, Correspondences, KeypointState, Pose
from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.judgement import judged
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.methods.semalign3d.model import Aligned
from semcorr_ros.pose_transfer import CarriedPoses, Poses
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros import drawing, messages, standard
from semcorr_ros.serving.demonstration_file import Info
from semcorr_ros.serving.resident import Resident
from semcorr_ros.visualization import shapes


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


def test_every_field_of_a_point_and_of_a_pose():
    covariance = torch.arange(9.0).reshape(1, 3, 3) + 1
    info = CategoryInfo("pear", ("rim", "foot"), (0, 1), edges=((0, 1), (1, 0)))
    found = Correspondences(
        torch.tensor([[3.0, 4.0], [5.0, 6.0]]), torch.tensor([0.8, 0.6]), torch.tensor([0, 1]),
        torch.tensor([[0.1, 0.2, 0.9], [torch.nan, 0.2, 0.3]]), covariance.repeat(2, 1, 1),
    )  # fmt: skip
    pose = Pose(torch.eye(3), torch.tensor([0.1, 0.2, 0.3]), 0.05, torch.tensor([1.0, 2.0, 3.0]), True,
                torch.arange(36.0).reshape(6, 6))  # fmt: skip
    answer = Answer(info, info.keypoint_names, found, 0.7, pose, edges=info.edges, instance_id="pear_3")
    told = messages.instance_message(answer)
    assert (told.class_name, told.instance_id, list(told.edges)) == ("pear", "pear_3", [0, 1, 1, 0])
    known, unknown = told.keypoints
    assert (known.name, known.state, known.score) == ("rim", 0, pytest.approx(0.8))
    assert (known.pixel.x, known.pixel.y) == (3.0, 4.0)
    assert [known.xyz.x, known.xyz.y, known.xyz.z] == pytest.approx([0.1, 0.2, 0.9])
    assert known.covariance.tolist() == list(range(1, 10))
    assert (unknown.name, unknown.state, unknown.pixel.x) == ("foot", 1, 5.0)
    assert all(map(math.isnan, (unknown.xyz.x, unknown.xyz.y, unknown.xyz.z)))
    assert unknown.covariance.tolist() == [-1.0] + [0.0] * 8
    posed = messages.pose_message(answer)
    assert (posed.class_name, posed.instance_id, posed.confidence) == ("pear", "pear_3", pytest.approx(0.7))
    assert [posed.size.x, posed.size.y, posed.size.z] == [1.0, 2.0, 3.0]
    assert posed.covariance.tolist() == list(range(36))
    q = posed.pose.orientation
    assert (q.x, q.y, q.z, q.w) == pytest.approx((0, 0, 0, 1), abs=1e-6)
    assert posed.pose.position.z == pytest.approx(0.3)
    nowhere = messages.pose_message(replace(answer, pose=None))
    assert (nowhere.metric, nowhere.covariance.tolist()) == (False, [-1.0] + [0.0] * 35)
    for spoiled in (None, torch.full((6, 6), torch.nan)):
        doubtful = messages.pose_message(replace(answer, pose=replace(pose, covariance=spoiled)))
        assert doubtful.covariance.tolist() == [-1.0] + [0.0] * 35


def test_an_answer_has_a_code_and_a_sentence():
    seen = _correspondences([KeypointState.VISIBLE])
    answer = Answer(CategoryInfo("pear", ("rim",), None), ("rim",), seen, 0.9, note="by the way")
    assert messages.error_of(answer) == (0, "by the way")
    refused = replace(answer, refusal=Refusal(Code.NOT_FOUND, "nothing there"))
    assert messages.error_of(refused) == (int(Code.NOT_FOUND), "nothing there")


def test_entries_of_catalogues():
    info = CategoryInfo("pear", ("a", "b"), None, flat=True, edges=((0, 1),))
    held = Resident(info, ("a",), 0.25, "tiny:1", Path("/x/pear.safetensors"), "0123456789ab", 77, True, None)
    told = messages.class_message(held)
    assert (told.name, list(told.keypoint_names), list(told.edges)) == ("pear", ["a", "b"], [0, 1])
    assert (told.flat, told.symmetric, told.metric_scale) == (True, False, pytest.approx(0.25))
    assert (told.backbone, told.path, told.version) == ("tiny:1", "/x/pear.safetensors", "0123456789ab")
    assert (told.active, told.resident, told.bytes) == (True, False, 77)
    other = messages.class_message(
        replace(held, info=replace(info, flat=False, symmetric=True), active=False)
    )
    assert (other.flat, other.symmetric, other.active) == (False, True, False)
    shown = messages.demonstration_message(Info("d1", "pear", ("p", "q"), 480, 640, True, (5, 7), False))
    assert (shown.id, shown.class_name, list(shown.point_names)) == ("d1", "pear", ["p", "q"])
    assert (shown.height, shown.width, shown.has_depth, shown.persistent) == (480, 640, True, False)
    assert (shown.stamp.sec, shown.stamp.nanosec) == (5, 7)


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
    assert shapes.draw_overlay(picture, [instance]).any()
    assert not picture.any()


def test_a_box_in_the_picture_is_around_what_is_in_the_picture(monkeypatch):
    """Stands for vision_msgs, which not every installation has: test_which_object.py has the real ones."""

    def empty(**fields) -> SimpleNamespace:
        box = SimpleNamespace(center=SimpleNamespace(position=SimpleNamespace()))
        return SimpleNamespace(detections=[], bbox=box, hypothesis=SimpleNamespace(), **fields)

    names = ("Detection2DArray", "Detection2D", "ObjectHypothesisWithPose")
    monkeypatch.setattr(standard, "vision", SimpleNamespace(**dict.fromkeys(names, empty)))
    states = [
        KeypointState.VISIBLE,
        KeypointState.OCCLUDED,
        KeypointState.OUT_OF_IMAGE,
        KeypointState.UNKNOWN,
    ]
    pixels = [(10.0, 20.0), (30.0, 60.0), (-50.0, 5.0), (math.nan, math.nan)]
    keypoints = [
        SemanticKeypoint(state=int(state), pixel=Point2D(x=x, y=y))
        for state, (x, y) in zip(states, pixels, strict=True)
    ]
    seen = SemanticKeypoints(class_name="pear", instance_id="pear_1", keypoints=keypoints)
    outside = SemanticKeypoints(class_name="pear", instance_id="pear_2", keypoints=keypoints[2:])
    found = standard.detections_2d(
        Header(frame_id="cam"), [seen, outside], {"pear_1": ClassPose(confidence=0.75)}
    )
    (detection,) = found.detections
    assert (detection.id, detection.results[0].hypothesis.score) == ("pear_1", 0.75)
    assert (detection.bbox.size_x, detection.bbox.size_y) == (20.0, 40.0)
    assert vars(detection.bbox.center.position) == {"x": 20.0, "y": 40.0}


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


def test_a_covariance_with_one_unknown_number_is_unknown():
    matrix = torch.eye(3)
    assert messages._covariance(matrix).tolist() == torch.eye(3).flatten().tolist()
    matrix[2, 1] = torch.nan
    assert messages._covariance(matrix).tolist() == [-1.0] + [0.0] * 8


def test_poses_that_were_carried_over_keep_place_turn_and_reason():
    turn = rotations.super_fibonacci(8)[3]
    position = torch.tensor([[0.1, -0.2, 0.7], [torch.nan] * 3])
    rotation = torch.stack([turn, torch.full((3, 3), torch.nan)])
    covariance = torch.arange(72.0).reshape(2, 6, 6)
    poses, names = Poses(position, rotation), ("pinch", "lift")
    carried = CarriedPoses(names, poses, covariance, torch.tensor([1.25, 1.0]), 0.75, ("", "no depth"))
    header = Header(frame_id="camera")
    known, unknown = messages.transferred_messages(carried, header)
    assert (known.name, known.reason, known.score, known.stretch) == ("pinch", "", 0.75, 1.25)
    assert (unknown.name, unknown.reason) == ("lift", "no depth")
    assert known.pose.header == unknown.pose.header == header
    at, quaternion = known.pose.pose.position, known.pose.pose.orientation
    np.testing.assert_allclose([at.x, at.y, at.z], [0.1, -0.2, 0.7], rtol=1e-6)
    found = [quaternion.x, quaternion.y, quaternion.z, quaternion.w]
    np.testing.assert_allclose(found, rotations.to_quaternion(turn), atol=1e-6)
    np.testing.assert_allclose(np.reshape(known.covariance, (6, 6)), covariance[0])
    assert math.isnan(unknown.pose.pose.position.x)
    assert math.isnan(unknown.pose.pose.orientation.w)
