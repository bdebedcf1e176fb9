"""Detections of any origin become regions of a picture, or are left out; pictures wait for theirs."""

from __future__ import annotations

import math
from types import SimpleNamespace

import camera_messages
import numpy as np
import pytest
import torch

from semcorr_ros.artifacts import Frame
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.geometry.distortion import make_lens
from semcorr_ros.geometry.taken import from_taken, straightened
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import regions
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading
from semcorr_ros.sensing.regions import Mark, Marks, RegionPairs, Roi

H, W = 60, 80
FRAME = Frame(torch.zeros(H, W, 3, dtype=torch.uint8), None, None)


def roi(x, y, w, h):
    return SimpleNamespace(x_offset=x, y_offset=y, width=w, height=h, do_rectify=False)


def test_regions_of_our_own_message():
    labels = camera_messages.image(np.zeros((H, W), np.uint8), "mono8")
    one = SimpleNamespace(class_name="cup", instance_id="7", roi=roi(1, 2, 30, 40), label=5)
    other = SimpleNamespace(class_name="bowl", instance_id="", roi=roi(0, 0, 4, 5), label=0)
    message = SimpleNamespace(header=camera_messages.header(), regions=[one, other], labels=labels)
    found = regions.marks_from_regions(message, {"cup": "mug"})
    assert found.header is message.header
    assert found.marks == (Mark("mug", "7", Roi(1, 2, 30, 40), 5), Mark("bowl", "", Roi(0, 0, 4, 5), 0))
    assert found.labels is labels
    labels.width = 0
    assert regions.marks_from_regions(message, {}).labels is None


def detection(results, center, size, theta=0.0, nested=True, **more):
    position = SimpleNamespace(x=center[0], y=center[1])
    place = (
        SimpleNamespace(position=position, theta=theta)
        if nested
        else SimpleNamespace(x=center[0], y=center[1], theta=theta)
    )
    box = SimpleNamespace(center=place, size_x=size[0], size_y=size[1])
    found = [SimpleNamespace(hypothesis=SimpleNamespace(class_id=name, score=s)) for name, s in results]
    return SimpleNamespace(results=found, bbox=box, **more)


def marks(*detections, aliases=None):
    message = SimpleNamespace(header="header", detections=list(detections))
    return regions.marks_from_detections(message, aliases or {}).marks


@pytest.mark.parametrize("nested", [True, False])
def test_boxes_of_a_detector_by_their_best_hypotheses(nested):
    one = detection(
        [("cat", 0.2), ("cup", 0.7), ("dog", 0.1)], (30.0, 20.0), (20.0, 10.0), nested=nested, id="a"
    )
    assert marks(one, aliases={"cup": "mug"}) == (Mark("mug", "a", Roi(20, 15, 20, 10)),)


def test_a_turned_box_is_widened_and_one_beyond_the_border_begins_there():
    turned = detection([("cup", 1.0)], (30.0, 20.0), (20.0, 10.0), theta=math.pi / 2)
    assert marks(turned) == (Mark("cup", "", Roi(25, 10, 10, 20)),)
    slanted = detection([("cup", 1.0)], (40.0, 30.0), (20.0, 10.0), theta=math.radians(30))
    width, height = 20 * math.cos(math.pi / 6) + 5, 10 + 10 * math.cos(math.pi / 6)
    left, top = round(40 - width / 2), round(30 - height / 2)
    expected = Roi(left, top, round(40 + width / 2) - left, round(30 + height / 2) - top)
    assert marks(slanted)[0].roi == expected
    outside = detection([("cup", 1.0)], (2.0, 3.0), (20.0, 10.0))
    assert marks(outside)[0].roi == Roi(0, 0, 12, 8)


def test_detections_that_say_nothing_are_left_out():
    nameless = detection([], (30.0, 20.0), (20.0, 10.0))
    nowhere = detection([("cup", 1.0)], (math.nan, 20.0), (20.0, 10.0))
    assert marks(nameless, nowhere) == ()


def found(*given, labels=None):
    return regions.regions_in(Marks("header", given, labels), FRAME)


def test_boxes_are_cut_at_the_border_and_specks_dropped():
    inside, beyond = Mark("cup", "1", Roi(10, 20, 30, 15)), Mark("cup", "2", Roi(60, 50, 40, 40))
    speck, outside = Mark("cup", "3", Roi(10, 10, 3, 9)), Mark("cup", "4", Roi(90, 70, 10, 10))
    whole, empty = Mark("cup", "5", Roi(0, 0, 200, 200)), Mark("cup", "6", Roi(5, 5, 0, 0))
    got = found(inside, beyond, speck, outside, whole, empty)
    assert [(each.tracker_id, each.place.box) for each in got] == [
        ("1", (10, 20, 30, 15)),
        ("2", (60, 50, 20, 10)),
        ("5", (0, 0, 80, 60)),
    ]
    assert got[0].class_name == "cup"


def test_numbers_in_a_label_image_are_masks():
    numbers = np.zeros((H, W), np.uint8)
    numbers[10:20, 30:50] = 2
    labels = camera_messages.image(numbers, "mono8")
    got = found(
        Mark("cup", "", Roi(0, 0, 20, 20), 2),
        Mark("bowl", "", Roi(0, 0, 20, 20), 3),  # nowhere in the image
        Mark("jug", "", Roi(0, 0, 20, 20), 0),  # has a box only
        labels=labels,
    )
    assert [each.class_name for each in got] == ["cup", "jug"]
    assert torch.equal(got[0].place.mask, torch.from_numpy(numbers == 2))
    assert got[1].place.box == (0, 0, 20, 20)
    foreign = camera_messages.image(np.zeros((H, W // 2), np.uint8), "mono8")
    with pytest.raises(Refusal, match="labels are 40x60 but the image is 80x60") as caught:
        found(labels=foreign)
    assert caught.value.code == Code.SIZE_MISMATCH


def test_a_hundred_regions_are_enough():
    assert len(found(*[Mark("cup", str(i), Roi(0, 0, 10, 10)) for i in range(130)])) == 100


@pytest.mark.parametrize("bad", ["cup", "cup=", "=mug"])
def test_aliases(bad):
    assert regions.aliases_from(["cup=mug", "a=b=c"]) == {"cup": "mug", "a": "b=c"}
    with pytest.raises(ValueError, match="like cup=mug"):
        regions.aliases_from([bad])


class Pairs:
    """Pairs with a clock that the test turns."""

    def __init__(self, mode):
        self.time, self.paired, self.dropped = 10.0, [], []
        self.pairs = RegionPairs(
            mode, 0.05, lambda: self.time, lambda code, sentence: self.dropped.append(code),
            lambda picture, marks: self.paired.append((picture and picture.header.stamp.sec, marks)),
        )  # fmt: skip

    def picture(self, seconds):
        self.pairs.take_picture(Picture(SimpleNamespace(header=camera_messages.header("", seconds))))

    def marks(self, seconds):
        given = Marks(camera_messages.header("", seconds), ())
        self.pairs.take_marks(given)
        return given


def test_without_a_detector_pictures_do_not_wait():
    for mode in ("auto", "none"):
        pairs = Pairs(mode)
        pairs.picture(1.0)
        assert pairs.paired == [(1, None)]


def test_with_one_they_wait_for_their_regions_as_long_as_any_come():
    pairs = Pairs("auto")
    first = pairs.marks(1.0)
    pairs.picture(1.0)
    assert pairs.paired == [(1, first)]
    pairs.time += 1.9
    pairs.picture(3.0)
    assert len(pairs.paired) == 1
    third = pairs.marks(3.0)
    assert pairs.paired[1:] == [(3, third)]
    pairs.time += 2.1  # the detector has ended
    pairs.picture(5.0)
    assert pairs.paired[2:] == [(5, None)]
    assert pairs.dropped == []


def test_required_regions_are_waited_for_and_losses_told():
    pairs = Pairs("required")
    for seconds in range(1, 8):
        pairs.picture(float(seconds))
    assert pairs.paired == []
    assert set(pairs.dropped) == {Code.SYNC_MISS}
    assert len(pairs.dropped) == 2  # five wait
    last = pairs.marks(7.0)
    assert pairs.paired == [(7, last)]


def test_expected_and_unwanted_regions():
    pairs = Pairs("auto")
    pairs.pairs.expect_marks()
    pairs.picture(1.0)
    assert pairs.paired == []
    deaf = Pairs("none")
    deaf.marks(1.0)
    deaf.picture(1.0)
    assert deaf.paired == [(1, None)]


def test_a_picture_is_decoded_and_encoded_once():
    pixels = np.arange(H * W * 3, dtype=np.uint8).reshape(H, W, 3)
    calls = []
    picture = Picture(camera_messages.image(pixels, "rgb8"))
    assert picture.frame() is picture.frame()

    def encode(frame):
        calls.append(frame)
        return SimpleNamespace(frame=frame)

    assert picture.scene(encode) is picture.scene(encode)
    assert len(calls) == 1
    assert picture.place(None).given is False
    assert picture.place(roi(0, 0, 0, 0)).given is False
    assert picture.place(roi(5, 6, 70, 54)).box == (5, 6, 70, 54)
    for bad in (roi(11, 6, 70, 54), roi(5, 7, 70, 54), roi(5, 5, 3, 20), roi(5, 5, 20, 3)):
        with pytest.raises(Refusal) as caught:
            picture.place(bad)
        assert caught.value.code == Code.BAD_REQUEST
    assert picture.place(roi(5, 5, 4, 4)).box == (5, 5, 4, 4)
    shot = regions.shot_of(picture, None, encode, 3)
    assert (shot.regions, shot.most) == (None, 3)
    told = regions.shot_of(picture, Marks("header", (Mark("cup", "", Roi(0, 0, 9, 9)),)), encode, 3)
    assert [each.place.box for each in told.regions] == [(0, 0, 9, 9)]


def test_a_mark_without_label_has_none():
    assert Mark("cup", "", roi(1, 2, 3, 4)).label == 0


LENS = make_lens("plumb_bob", (-0.5, 0.2, 0.0, 0.0), (60.0, 60.0), (39.5, 29.5), (H, W))
BENT = straightened(Frame(torch.zeros(H, W, 3, dtype=torch.uint8)), LENS, 0)


def test_boxes_and_label_images_of_one_object_are_the_same_place_without_the_lens():
    """A detector's box and a segmenter's pixels are both of the picture as it was taken."""
    labels = np.zeros((H, W), np.uint8)
    labels[4:16, 3:20] = 5
    image = camera_messages.image(labels, "mono8")
    both = (Mark("mug", "", Roi(3, 4, 17, 12)), Mark("mug", "", Roi(0, 0, 0, 0), 5))
    by_box, by_label = regions.regions_in(Marks(camera_messages.header(), both, image), BENT)
    x, y, w, h = by_box.place.box
    a, b, c, d = box_of(by_label.place.mask)
    assert max(abs(x - a), abs(y - b), abs(x + w - a - c), abs(y + h - b - d)) <= 2
    assert min(abs(x - 3), abs(y - 4)) > 2  # it did move


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_target_roi_is_taken_through_lens_and_turn(degrees):
    picture = Picture(
        camera_messages.image(np.zeros((H, W, 3), np.uint8), "rgb8"), reading=Reading(rotate=degrees)
    )
    place = picture.place(roi(3, 4, 17, 12))
    corner = from_taken(torch.tensor([[3.0, 4.0], [19.0, 15.0]]), picture.frame())
    (left, top), (right, bottom) = corner.amin(0).tolist(), corner.amax(0).tolist()
    assert place.box == (left, top, right - left + 1, bottom - top + 1)
    with pytest.raises(Refusal, match="inside the 80x60 image"):
        picture.place(roi(70, 4, 17, 12))
