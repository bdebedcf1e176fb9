"""Nothing that a caller or a file says makes the node allocate, or repeat, without limit."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import pytest
import torch
from methods.semalign3d.alignment import fabricated
from semcorr_ros.msg import Point2D, Region, Regions
from semcorr_ros.srv import TransferKeypoints
from sensor_msgs.msg import Image, RegionOfInterest

from semcorr_ros.artifacts import Frame
from semcorr_ros.files.picture import MAX_PIXELS
from semcorr_ros.methods.semalign3d import class_file
from semcorr_ros.refusal import LONGEST_MESSAGE, Code, Refusal
from semcorr_ros.ros.camera import Camera
from semcorr_ros.ros.transfer import MAX_POINTS, Transfer
from semcorr_ros.sensing import images
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading
from semcorr_ros.sensing.regions import MOST, marks_from_regions, regions_in
from semcorr_ros.serving import demonstrations
from semcorr_ros.serving.class_bank import ClassBank
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.demonstration_file import Record
from semcorr_ros.serving.demonstrations import Demonstrations

LONG = "x" * 10_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    class_file.write_class(folder / "pear.safetensors", fabricated.make_class())
    return folder


@pytest.fixture
def bank(folder):
    bank = ClassBank("cpu", fabricated.BACKBONE)
    bank.load(folder / "pear.safetensors")
    return bank


def picture(size: int = 12) -> Picture:
    return Picture(Image(height=size // 3, width=1, step=3, encoding="rgb8", data=array("B", bytes(size))))


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "bayer_rggb8", "yuv422", "rgb16"])
def test_a_raw_image_of_any_encoding_has_a_largest_size(encoding):
    message = Image(height=2**20, width=2**20, step=2**21, encoding=encoding)
    with pytest.raises(Refusal, match=f"1048576x1048576 is larger than {MAX_PIXELS} pixels") as caught:
        images.color_from_message(message)
    assert caught.value.code == Code.BAD_ENCODING


@pytest.mark.parametrize("read", [images.depth_from_message, images.labels_from_message])
def test_so_have_depth_and_labels(read):
    with pytest.raises(Refusal, match="is larger than"):
        read(Image(height=2**16, width=2**16, step=2**17, encoding="16UC1"))


def test_an_answer_repeats_no_more_than_can_be_read(bank):
    with pytest.raises(Refusal, match=r"no class 'xxx") as caught:
        bank.get(LONG)
    assert len(caught.value.message) <= LONGEST_MESSAGE
    assert caught.value.message.endswith(" ...")


def test_neither_do_diagnostics():
    counters = Counters()
    counters.drop(Code.UNKNOWN, LONG)
    assert max(map(len, counters.report().values.values())) <= LONGEST_MESSAGE


@pytest.mark.parametrize("field", ["points", "keypoint_names"])
def test_lists_of_a_request(bank, field):
    transfer = Transfer(bank, Demonstrations("", 1, print), find=None, seek=None, reading=Reading())
    item = Point2D() if field == "points" else "stem"
    request = TransferKeypoints.Request(class_name="pear", **{field: [item] * (MAX_POINTS + 1)})
    if field == "points":
        request.demonstration_id = "shown"
    with pytest.raises(Refusal, match=rf"{MAX_POINTS + 1} `{field}`; at most {MAX_POINTS}"):
        transfer.check(request)


def test_regions_of_an_image():
    counters, passed = Counters(), []
    camera = SimpleNamespace(_counters=counters, _pairs=SimpleNamespace(take_marks=passed.append))
    roi = RegionOfInterest(width=4, height=4)
    regions = Regions(regions=[Region(class_name=str(i), roi=roi) for i in range(MOST + 7)])
    Camera._take_marks(camera, marks_from_regions(regions, {}))
    kept = regions_in(passed[0], Frame(torch.zeros(6, 8, 3, dtype=torch.uint8)))
    assert [region.class_name for region in kept] == [str(i) for i in range(MOST)]
    assert counters.report().values["regions left out"] == "7"


def test_demonstrations_kept_in_memory(monkeypatch):
    monkeypatch.setattr(demonstrations, "LARGEST_MEMORY", 30)
    kept = Demonstrations("", 10, print)

    def store(name: str, size: int) -> None:
        record = Record(name, "pear", picture(size), torch.zeros(0, 2), ())
        kept.store(record, SimpleNamespace())

    store("one", 12)
    store("two", 12)
    with pytest.raises(Refusal, match="would have 36 bytes, at most 30") as caught:
        store("three", 12)
    assert caught.value.code == Code.OUT_OF_MEMORY
    store("two", 15)  # instead of the other one
    assert [info.id for info in kept.infos()] == ["one", "two"]


@pytest.mark.parametrize("axis", class_file.LARGEST)
def test_classes(folder, axis, monkeypatch):
    monkeypatch.setitem(class_file.LARGEST, axis, 2)
    bank = ClassBank("cpu", fabricated.BACKBONE)
    with pytest.raises(Refusal, match=f"{axis}s, at most 2 are supported") as caught:
        bank.load(folder / "pear.safetensors")
    assert caught.value.code == Code.BAD_FILE
