"""Taught once: stored on disk, there after a restart, and nothing a caller says leads out of the folder."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pear_camera
import pytest
import torch
from builtin_interfaces.msg import Time
from ros.conftest import call, spin_until
from ros.test_perceive import Camera, inline, xyz
from semcorr_ros.msg import Point2D
from semcorr_ros.srv import DeleteDemonstration, ListDemonstrations, StoreDemonstration, TransferKeypoints
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros import conversions
from semcorr_ros.sensing import compressed
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.serving.demonstration_file import Record, read_info, read_record, write_record
from semcorr_ros.serving.demonstrations import Demonstrations

NODES = ["second", "first"]  # the last one is the one that lives
Stored, Found = StoreDemonstration.Response, TransferKeypoints.Response


@pytest.fixture(scope="module")
def shot(model):
    return pear_camera.shoot(model, 60)


@pytest.fixture(scope="module")
def settings(settings, tmp_path_factory):
    return settings | {"demonstration_folder": str(tmp_path_factory.mktemp("taught"))}


@pytest.fixture
def record(shot):
    header = Header(stamp=Time(sec=7, nanosec=9), frame_id="optical")
    picture = Picture(
        conversions.color_message(shot.image, header),
        conversions.camera_message(shot.camera, header),
        conversions.depth_message(shot.depth, header),
    )
    return Record("grip", "pear", picture, torch.tensor([[3.0, 4.0], [5.5, 6.0]]), ("left", "right"))


def store(ros, **fields) -> Stored:
    request = StoreDemonstration.Request(**({"demonstration_id": "grip", "class_name": "pear"} | fields))
    return call(ros, StoreDemonstration, f"/{NODES[-1]}/store_demonstration", request)


def transfer(ros, **fields) -> Found:
    request = TransferKeypoints.Request(class_name="pear", **fields)
    return call(ros, TransferKeypoints, f"/{NODES[-1]}/transfer_keypoints", request)


def stored(ros) -> list[str]:
    answer = call(ros, ListDemonstrations, f"/{NODES[-1]}/list_demonstrations", ListDemonstrations.Request())
    return [info.id for info in answer.demonstrations]


def test_taught_once_and_asked_after_a_crash(start, ros, model, shot, settings, tmp_path):
    node = start("perceive", settings | {"__node": NODES[-1]})
    goal = pear_camera.shoot(model, 100)
    target = inline(goal, "target")
    shown = {name.removeprefix("source_"): value for name, value in inline(shot, "source").items()}
    ids = [i for i in range(10) if _in_front(shot, i) and _in_front(goal, i)]
    points = [Point2D(x=float(x), y=float(y)) for x, y in shot.pixels[ids]]
    names = [f"p{i}" for i in ids]

    answer = store(ros, points=points, point_names=names, **shown)
    assert answer.success, answer.message
    assert answer.info.persistent
    assert (answer.info.width, answer.info.height, answer.info.has_depth) == (128, 96, True)
    assert answer.confidence > 0.1
    before = transfer(ros, demonstration_id="grip", **target)
    assert before.success, before.message
    assert [keypoint.name for keypoint in before.keypoints.keypoints] == names
    found = zip(ids, before.keypoints.keypoints, strict=True)
    errors = [np.linalg.norm(xyz(keypoint) - goal.keypoints[i]) for i, keypoint in found]
    assert np.median(errors) < 0.01

    taken = store(ros, points=points, point_names=names, **shown)
    assert (taken.error_code, "overwrite" in taken.message) == (Stored.BAD_REQUEST, True)
    assert call(ros, Trigger, f"/{NODES[-1]}/reset", Trigger.Request()).success
    node.process.send_signal(signal.SIGKILL)
    node.process.wait()
    NODES.pop()

    # Under another name: DDS believes in the killed one for a while, and calls to it would be lost.
    node = start("perceive", settings | {"__node": NODES[-1]})
    assert stored(ros) == ["grip"]
    after = transfer(ros, demonstration_id="grip", **target)
    assert after.keypoints == before.keypoints
    one = transfer(ros, demonstration_id="grip", keypoint_names=names[:1], **target)
    assert [keypoint.name for keypoint in one.keypoints.keypoints] == names[:1]
    assert xyz(one.keypoints.keypoints[0]) == pytest.approx(xyz(before.keypoints.keypoints[0]), abs=1e-5)
    wrong = transfer(ros, demonstration_id="grip", keypoint_names=["lid"], **target)
    assert wrong.error_code == Found.BAD_REQUEST
    assert "p" in wrong.message

    for id in ("../grip", "/etc/passwd", "", ".hidden", "a" * 65):
        refused = store(ros, demonstration_id=id, points=points, **shown)
        assert refused.error_code == Stored.FORBIDDEN, id
    outside = [Point2D(x=200.0, y=3.0)]
    assert store(ros, demonstration_id="off", points=outside, **shown).error_code == Stored.BAD_REQUEST
    twice = store(ros, demonstration_id="off", points=points[:2], point_names=["a", "a"], **shown)
    assert twice.error_code == Stored.BAD_REQUEST
    many = [Point2D()] * 5000
    assert store(ros, demonstration_id="off", points=many, **shown).error_code == Stored.BAD_REQUEST
    shown["image"].data = type(shown["image"].data)("B", bytes(len(shown["image"].data)))
    assert store(ros, demonstration_id="black", points=points, **shown).error_code == Stored.NOT_FOUND
    assert stored(ros) == ["grip"]

    camera = Camera(ros, shot)
    timer = ros.create_timer(0.1, camera.publish)
    assert spin_until(ros, lambda: store(ros, demonstration_id="live", points=points).success)
    ros.destroy_timer(timer)
    camera.close()
    assert stored(ros) == ["grip", "live"]

    request = DeleteDemonstration.Request(class_name="pear", demonstration_id="grip")
    assert call(ros, DeleteDemonstration, f"/{NODES[-1]}/delete_demonstration", request).success
    gone = call(ros, DeleteDemonstration, f"/{NODES[-1]}/delete_demonstration", request)
    assert gone.error_code == DeleteDemonstration.Response.DEMONSTRATION_UNKNOWN
    assert transfer(ros, demonstration_id="grip", **target).error_code == Found.DEMONSTRATION_UNKNOWN
    status, output = node.stop()
    assert status == 0, output
    assert "Traceback" not in output


def test_messages_come_back_byte_for_byte(record, tmp_path):
    path = tmp_path / "grip.safetensors"
    info = write_record(path, record)
    read = read_record(path)
    assert (read.id, read.class_name, read.names) == ("grip", "pear", ("left", "right"))
    assert torch.equal(read.points, record.points)
    for name in ("image", "depth"):
        check_same(getattr(read.picture, name), getattr(record.picture, name))
    assert read.picture.camera_info.k.tolist() == record.picture.camera_info.k.tolist()
    assert read_info(path) == info
    assert list(tmp_path.iterdir()) == [path]  # no temporary file is left


def test_a_compressed_picture_is_kept_as_it_came(record, tmp_path):
    image = CompressedImage(header=record.picture.header, format="rgb8; jpeg compressed bgr8")
    image.data = record.picture.image.data[:1000]
    packed = Record("jpeg", "pear", Picture(image), torch.zeros(0, 2), ())
    write_record(tmp_path / "jpeg.safetensors", packed)
    read = read_record(tmp_path / "jpeg.safetensors")
    check_same(read.picture.image, image)
    assert compressed.is_compressed(read.picture.image)
    assert read.picture.camera_info is None


def check_same(read, message) -> None:
    """Every field of the message, down to the last byte."""
    assert (read.header.stamp.sec, read.header.stamp.nanosec) == (7, 9)
    assert read.header.frame_id == message.header.frame_id
    for name in set(message.get_fields_and_field_types()) - {"header", "data"}:
        assert getattr(read, name) == getattr(message, name), name
    assert bytes(read.data) == bytes(message.data)


def test_damaged_and_foreign_files_are_left_out_and_named(record, tmp_path):
    folder = tmp_path / "pear"
    write_record(
        folder / "good.safetensors", Record("good", "pear", record.picture, record.points, ("a", "b"))
    )
    write_record(folder / "alias.safetensors", record)  # says it is another one
    (folder / "cut.safetensors").write_bytes((folder / "good.safetensors").read_bytes()[:500])
    (folder / "text.safetensors").write_text("hello")
    secret = tmp_path.parent / f"{tmp_path.name}_secret"
    secret.mkdir()
    write_record(secret / "out.safetensors", replace(record, id="out"))
    (folder / "out.safetensors").symlink_to(secret / "out.safetensors")
    warnings = []
    demonstrations = Demonstrations(str(tmp_path), 10, warnings.append)
    assert [info.id for info in demonstrations.infos("pear")] == ["good"]
    assert demonstrations.infos("apple") == []
    for name in ("alias", "cut", "text", "leads out of"):
        assert any(name in warning for warning in warnings), name


def test_no_more_than_allowed(record, tmp_path):
    write_record(tmp_path / "pear" / "grip.safetensors", record)
    demonstrations = Demonstrations(str(tmp_path), 1, pytest.fail)
    demonstrations.check_new(("pear", "grip"), overwrite=True)
    with pytest.raises(Refusal) as caught:
        demonstrations.check_new(("pear", "second"), overwrite=True)
    assert caught.value.code == Code.OUT_OF_MEMORY


def _in_front(shot: pear_camera.Shot, i: int) -> bool:
    x, y = shot.pixels[i].round().astype(int)
    return shot.depth[y, x] > 0 and abs(shot.depth[y, x] - shot.keypoints[i, 2]) < 0.01
