"""Several objects of a class from regions and masks, numbers that stay with them, and several cameras."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import numpy as np
import pear_camera
import pytest
import torch
from rclpy.time import Time
from ros.conftest import call, spin_until
from ros.test_perceive import xyz
from semcorr_ros.msg import Region, Regions, SemanticKeypointsArray
from semcorr_ros.srv import TransferKeypoints
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from semcorr_ros.artifacts import Frame
from semcorr_ros.ros import conversions
from semcorr_ros.sensing.regions import marks_from_detections, marks_from_regions, regions_in

HEIGHT, WIDTH = pear_camera.SIZE


@pytest.fixture(scope="module")
def pair(model):
    return pear_camera.side_by_side(model, 70, 100)


@pytest.fixture(scope="module")
def settings(settings):
    return settings | {"active_classes": "[pear]"}


class Scene:
    """Publishes a shot below `prefix`, and what is said to be in it."""

    def __init__(self, ros, prefix: str, shot):
        self.ros, self.shot = ros, shot
        kinds = {"camera_info": CameraInfo, "depth": Image, "image": Image, "regions": Regions}
        self.publishers = {
            name: ros.create_publisher(kind, f"{prefix}{name}", 5) for name, kind in kinds.items()
        }
        self.regions: list[Region] | None = None
        self.labels = Image()
        self.timer = ros.create_timer(0.15, self.publish)

    def publish(self) -> None:
        header = Header(stamp=self.ros.get_clock().now().to_msg(), frame_id="optical")
        self.publishers["camera_info"].publish(conversions.camera_message(self.shot.camera, header))
        self.publishers["depth"].publish(conversions.depth_message(self.shot.depth, header))
        self.publishers["image"].publish(conversions.color_message(self.shot.image, header))
        if self.regions is not None:
            message = Regions(header=header, regions=self.regions, labels=self.labels)
            self.publishers["regions"].publish(message)

    def close(self) -> None:
        self.ros.destroy_timer(self.timer)
        for publisher in self.publishers.values():
            self.ros.destroy_publisher(publisher)


def box(pixels: np.ndarray, **fields) -> Region:
    (x0, y0), (x1, y1) = pixels.min(0), pixels.max(0)
    roi = RegionOfInterest(x_offset=int(x0), y_offset=int(y0), width=int(x1 - x0), height=int(y1 - y0))
    return Region(roi=roi, **fields)


def column(instance) -> float:
    return float(np.nanmean([keypoint.pixel.x for keypoint in instance.keypoints]))


def test_two_pears_keep_their_numbers(start, ros, model, pair, settings):
    node = start("perceive", settings | {"__node": "many", "max_instances": "3"})
    scene, got = Scene(ros, "", pair), []
    subscription = ros.create_subscription(SemanticKeypointsArray, "/many/keypoints", got.append, 5)

    def found(count: int) -> dict[str, float]:
        """Column of each object in the next picture, of those taken from now on, that has so many."""
        now = ros.get_clock().now()

        def fitting() -> list:
            return [
                a.instances for a in got if len(a.instances) == count and Time.from_msg(a.header.stamp) > now
            ]

        assert spin_until(ros, fitting), got
        instances = fitting()[0]
        return {instance.instance_id: column(instance) for instance in instances}

    alone = found(2)  # nobody says where: the pieces that look like pears
    assert set(alone) == {"pear_0", "pear_1"}
    left = min(alone, key=alone.get)
    right = ({"pear_0", "pear_1"} - {left}).pop()
    scene.regions = [box(pair.pixels[1], class_name="pear"), box(pair.pixels[0])]  # the right one first
    for _ in range(2):
        boxed = found(2)
        assert boxed[left] == pytest.approx(pair.pixels[0, :, 0].mean(), abs=8)
        assert boxed[right] == pytest.approx(pair.pixels[1, :, 0].mean(), abs=8)
        scene.regions = scene.regions[::-1]
    instances = [a.instances for a in got if len(a.instances) == 2][-1]
    shown = next(instance for instance in instances if instance.instance_id == left)
    errors = [np.linalg.norm(xyz(k) - pair.keypoints[i]) for i, k in enumerate(shown.keypoints)]
    assert np.nanmedian(errors) < 0.02

    scene.regions = [box(pair.pixels[1], class_name="spoon"), box(pair.pixels[0], class_name="pear")]
    assert set(found(1)) == {left}
    labels = np.where(pair.depth > 0, 3, 0).astype(np.uint8)
    labels[:, :WIDTH] = 0  # only the right one has a mask
    scene.regions = [Region(class_name="pear", label=3), Region(class_name="pear", label=9)]
    scene.labels = Image(height=HEIGHT, width=2 * WIDTH, step=2 * WIDTH, encoding="mono8")
    scene.labels.data = array("B", labels.tobytes())
    assert set(found(1)) == {right}
    scene.regions = []  # the detector looked and found nothing
    assert found(0) == {}
    scene.close()
    ros.destroy_subscription(subscription)
    status, output = node.stop()
    assert status == 0, output
    assert "Traceback" not in output


def test_two_cameras(start, ros, model, settings):
    node = start("perceive", settings | {"__node": "wide", "cameras": "[left, right]"})
    shots = {"left": pear_camera.shoot(model, 70), "right": pear_camera.shoot(model, 100)}
    scenes = [Scene(ros, f"{name}/", shot) for name, shot in shots.items()]
    got: dict[str, list] = {name: [] for name in shots}
    subscriptions = [
        ros.create_subscription(SemanticKeypointsArray, f"/wide/{name}/keypoints", got[name].append, 5)
        for name in shots
    ]
    for name in shots:

        def placed(name: str = name) -> list:
            """Instances with positions: the first pictures may come before any depth."""
            instances = [instance for array_ in got[name] for instance in array_.instances]
            return [i for i in instances if np.isfinite([k.xyz.z for k in i.keypoints]).any()]

        assert spin_until(ros, placed)
        instance = placed()[0]
        assert instance.instance_id == f"{name}_pear_0"
        errors = [np.linalg.norm(xyz(k) - shots[name].keypoints[i]) for i, k in enumerate(instance.keypoints)]
        assert np.nanmedian(errors) < 0.02

    def transfer(camera: str) -> TransferKeypoints.Response:
        request = TransferKeypoints.Request(class_name="pear", camera=camera)
        return call(ros, TransferKeypoints, "/wide/transfer_keypoints", request)

    right = transfer("right")
    assert right.success, right.message
    errors = [
        np.linalg.norm(xyz(k) - shots["right"].keypoints[i]) for i, k in enumerate(right.keypoints.keypoints)
    ]
    assert np.nanmedian(errors) < 0.02
    unknown = transfer("above")
    assert unknown.error_code == TransferKeypoints.Response.BAD_REQUEST
    assert "left, right" in unknown.message
    for scene in scenes:
        scene.close()
    for subscription in subscriptions:
        ros.destroy_subscription(subscription)
    node.stop()


def detection(class_id: str, score: float, at: tuple[float, float, float], size: tuple[float, float]):
    """As vision_msgs 4 has it."""
    x, y, theta = at
    center = SimpleNamespace(position=SimpleNamespace(x=x, y=y), theta=theta)
    hypothesis = SimpleNamespace(class_id=class_id, score=score)
    results = [SimpleNamespace(hypothesis=hypothesis)] if class_id else []
    box = SimpleNamespace(center=center, size_x=size[0], size_y=size[1])
    return SimpleNamespace(results=results, bbox=box, id="7")


def test_detections_of_vision_msgs():
    detections = [
        detection("mug", 0.9, (50.0, 40.0, 0.0), (20.0, 10.0)),
        detection("mug", 0.8, (50.0, 40.0, np.pi / 2), (20.0, 10.0)),
        detection("", 0.0, (0.0, 0.0, 0.0), (1.0, 1.0)),
        detection("mug", 0.5, (float("nan"), 0.0, 0.0), (5.0, 5.0)),
        detection("mug", 0.5, (-3.0, 2.0, 0.0), (20.0, 10.0)),
    ]
    message = SimpleNamespace(header=Header(frame_id="cam"), detections=detections)
    found = marks_from_detections(message, {"mug": "cup"})
    assert found.header.frame_id == "cam"
    assert [mark.roi for mark in found.marks] == [(40, 35, 20, 10), (45, 30, 10, 20), (0, 0, 7, 7)]
    assert {(mark.class_name, mark.tracker_id) for mark in found.marks} == {("cup", "7")}


def test_places_of_regions_lie_in_the_image():
    frame = Frame(torch.zeros(48, 64, 3, dtype=torch.uint8), None, None)
    rois = [(10, 10, 20, 20), (60, 40, 100, 100), (100, 100, 5, 5), (5, 5, 1, 1), (0, 0, 0, 0)]
    regions = Regions()
    for x, y, w, h in rois:
        roi = RegionOfInterest(x_offset=x, y_offset=y, width=w, height=h)
        regions.regions.append(Region(roi=roi))
    found = regions_in(marks_from_regions(regions, {}), frame)
    assert [region.place.box for region in found] == [(10, 10, 20, 20), (60, 40, 4, 8)]
    regions.regions = regions.regions[:1] * 1000
    assert len(regions_in(marks_from_regions(regions, {}), frame)) == 100
