"""A spherical class in the node, over DDS: keypoints with the sensor's depth, no pose, and that is said."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated
from ros.conftest import call, spin_until
from ros.test_perceive import Camera, inline, xyz
from semcorr_ros.msg import ClassPoseArray, Point2D, SemanticKeypoint, SemanticKeypointsArray
from semcorr_ros.srv import LoadClass, TransferKeypoints

from semcorr_ros.features._sphere_mapper import SphereMapper
from semcorr_ros.methods.spherical.artifacts import SphereClasses
from semcorr_ros.methods.spherical.class_file import write_classes
from semcorr_ros.methods.spherical.config import MatchConfig, head_for
from semcorr_ros.methods.spherical.training.summary import summarize
from semcorr_ros.methods.spherical.training.views import Picture, _write_object
from semcorr_ros.observations import unannotated

FAR = 0.02  # metres: features are read at whole pixels, and depth around them


def pictures(folder: Path, model) -> list[Picture]:
    """Encoded pictures of the pear from three sides, with the keypoints that can be seen."""
    found = []
    for azimuth in (20.0, 60.0, 100.0):
        shot = pear_camera.shoot(model, azimuth)
        features = pear_camera.read_features(torch.from_numpy(shot.image))
        path = folder / f"{azimuth:g}.safetensors"
        _write_object(path, features, torch.from_numpy(shot.depth > 0))
        pixels = torch.from_numpy(shot.pixels).float()
        rows, columns = pixels.round().long().flip(-1).unbind(-1)
        inside = (rows >= 0) & (columns >= 0) & (rows < shot.depth.shape[0]) & (columns < shot.depth.shape[1])
        near = torch.zeros(len(pixels), dtype=torch.bool)
        surface = torch.from_numpy(shot.depth)[rows[inside], columns[inside]]
        near[inside] = (surface - torch.from_numpy(shot.keypoints)[inside, 2]).abs() < 0.005
        sample = replace(unannotated("pear", shot.depth.shape), keypoints=pixels, visible=near)
        found.append(Picture(sample, 0, path))
    return found


@pytest.fixture(scope="module")
def sphere_file(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sphere")
    channels = model.sparse_prototypes.features.shape[1]
    torch.manual_seed(0)
    mapper = SphereMapper(head_for(channels, grid=8)).requires_grad_(False).eval()
    category = summarize(model.info, pictures(folder, model), [], mapper, MatchConfig())
    path = folder / "pear.safetensors"
    write_classes(path, SphereClasses(mapper, MatchConfig(), (category,), fabricated.BACKBONE))
    return path


@pytest.fixture(scope="module")
def perceive(start, sphere_file):
    node = start("perceive", {"backbone": "fabricated", "classes": f"[{sphere_file}]", "threads": "1"})
    yield node
    status, output = node.stop()
    assert status == 0, output
    assert "Traceback" not in output


def test_keypoints_are_found_in_2d_and_measured_by_the_sensor(perceive, ros, model):
    shot = pear_camera.shoot(model, 40)
    request = TransferKeypoints.Request(class_name="pear", **inline(shot, "target"))
    response = call(ros, TransferKeypoints, "/semcorr/transfer_keypoints", request)
    assert response.success, response.message
    assert "has no pose" in response.message
    assert (response.pose.scale, response.pose.metric) == (0.0, False)
    assert response.pose.covariance[0] == -1
    found = [k for k in response.keypoints.keypoints if k.state == SemanticKeypoint.VISIBLE]
    assert len(found) >= 3
    names = list(model.info.keypoint_names)
    errors = [np.linalg.norm(xyz(k) - shot.keypoints[names.index(k.name)]) for k in found]
    assert np.median(errors) < FAR


def test_without_depth_there_are_pixels_alone(perceive, ros, model):
    shot = pear_camera.shoot(model, 40)
    request = TransferKeypoints.Request(class_name="pear", **inline(shot, "target", depth=False))
    response = call(ros, TransferKeypoints, "/semcorr/transfer_keypoints", request)
    assert response.success, response.message
    found = [k for k in response.keypoints.keypoints if k.state == SemanticKeypoint.NO_DEPTH]
    assert len(found) >= 3
    assert all(math.isnan(k.xyz.z) and math.isfinite(k.pixel.x) for k in found)


def test_points_of_one_picture_are_carried_to_another(perceive, ros, model):
    first, second = pear_camera.shoot(model, 35), pear_camera.shoot(model, 45)
    visible = pictures_visible(model, first, second)
    points = [Point2D(x=float(x), y=float(y)) for x, y in first.pixels[visible]]
    fields = inline(first, "source") | inline(second, "target")
    request = TransferKeypoints.Request(class_name="pear", points=points, **fields)
    response = call(ros, TransferKeypoints, "/semcorr/transfer_keypoints", request)
    assert response.success, response.message
    errors = [
        np.linalg.norm(xyz(k) - second.keypoints[i])
        for k, i in zip(response.keypoints.keypoints, visible, strict=True)
    ]
    assert np.nanmedian(errors) < FAR


def pictures_visible(model, *shots) -> list[int]:
    """Keypoints on the surface that every shot sees."""
    seen = np.ones(len(model.sparse), dtype=bool)
    for shot in shots:
        for i, ((x, y), point) in enumerate(
            zip(shot.pixels.round().astype(int), shot.keypoints, strict=True)
        ):
            inside = 0 <= y < shot.depth.shape[0] and 0 <= x < shot.depth.shape[1]
            seen[i] &= bool(inside and abs(shot.depth[y, x] - point[2]) < 0.005)
    return np.flatnonzero(seen).tolist()


def seen(message: SemanticKeypointsArray) -> bool:
    """Whether a keypoint was seen, and measured: the first pictures may come without their depth."""
    states = [k.state for instance in message.instances for k in instance.keypoints]
    return SemanticKeypoint.VISIBLE in states


def test_a_stream_publishes_keypoints_and_no_pose(perceive, ros, model, sphere_file):
    load = LoadClass.Request(path=str(sphere_file), active=True)
    assert call(ros, LoadClass, "/semcorr/load_class", load).success
    keypoints, poses = [], []
    subscriptions = [
        ros.create_subscription(SemanticKeypointsArray, "/semcorr/keypoints", keypoints.append, 5),
        ros.create_subscription(ClassPoseArray, "/semcorr/poses", poses.append, 5),
    ]
    camera = Camera(ros, pear_camera.shoot(model, 40))
    timer = ros.create_timer(0.2, camera.publish)
    assert spin_until(ros, lambda: any(map(seen, keypoints)) and bool(poses))
    ros.destroy_timer(timer)
    camera.close()
    for subscription in subscriptions:
        ros.destroy_subscription(subscription)
    assert next(filter(seen, keypoints)).instances[0].class_name == "pear"
    assert all(not message.poses for message in poses)
