"""Which messages make a picture, and the name of every loss."""

from __future__ import annotations

from collections import Counter

import camera_messages
import numpy as np
import pytest

from semcorr_ros import reasons
from semcorr_ros.refusal import Code
from semcorr_ros.sensing.assembly import Assembler

PIXELS = np.zeros((4, 5), np.uint8)


class Streams:
    """An assembler with a clock that the test turns."""

    def __init__(self, depth: str):
        self.time, self.drops = 0.0, Counter()
        self.assembler = Assembler(depth, 0.05, lambda: self.time, self._drop)

    def _drop(self, code: Code, sentence: str) -> None:
        assert sentence
        self.drops[code] += 1

    def image(self, stamp: float, frame: str = "optical"):
        return self.assembler.take_image(_stamped(camera_messages.image(PIXELS, "mono8"), stamp, frame))

    def depth(self, stamp: float, frame: str = "optical"):
        return self.assembler.take_depth(_stamped(camera_messages.image(PIXELS, "16UC1"), stamp, frame))

    def info(self, focal: float = 100.0):
        K = np.diag([focal, focal, 1.0])
        return self.assembler.take_info(camera_messages.camera_info(K, PIXELS.shape))


def _stamped(message, stamp: float, frame: str):
    message.header = camera_messages.header(frame, stamp)
    return message


def test_nothing_yet():
    assert Streams("auto").assembler.missing().code == Code.NO_IMAGE


def test_what_went_silent_is_told_from_what_does_not_fit():
    streams = Streams("required")
    streams.info()
    streams.depth(1.0)
    assert streams.image(1.0) is not None
    streams.time = 5.0
    silent = streams.assembler.missing(2.0)
    assert (silent.code, "for 5.0 s" in silent.message) == (Code.NO_IMAGE, True)
    streams.image(6.0)
    silent = streams.assembler.missing(2.0)
    assert (silent.code, "for 5.0 s" in silent.message) == (Code.NO_DEPTH, True)
    streams.depth(9.0)
    assert streams.assembler.missing(2.0).code == Code.SYNC_MISS
    streams.info(focal=0.0)
    streams.image(9.0)
    assert streams.assembler.missing(2.0).code == Code.UNCALIBRATED


def test_the_latest_image_waits_for_the_first_calibration():
    streams = Streams("none")
    assert streams.image(1.0) is None
    assert streams.drops == {}
    assert streams.image(1.1) is None
    assert streams.drops == {Code.NO_CAMERA_INFO: 1}
    assert streams.assembler.missing().code == Code.NO_CAMERA_INFO
    assert streams.info().image.header.stamp.nanosec == 100_000_000
    assert streams.info() is None
    assert streams.image(1.2).image.header.frame_id == "optical"


def test_the_reason_is_that_of_the_moment_it_is_asked_for():
    streams = Streams("required")
    streams.image(1.0)
    assert streams.assembler.missing().code == Code.NO_CAMERA_INFO
    streams.info(focal=0.0)
    assert streams.assembler.missing().code == Code.UNCALIBRATED
    streams.info()
    assert streams.assembler.missing().code == Code.NO_DEPTH
    streams.depth(3.0)
    assert streams.assembler.missing().code == Code.SYNC_MISS
    late = Streams("none")
    late.image(1.0, "optical")
    late.info(focal=0.0)
    late.info()  # nothing waits any more
    missing = late.assembler.missing()
    assert (missing.code, "since the camera_info did" in missing.message) == (Code.NO_IMAGE, True)


def test_depth_that_was_there_and_stays_away_is_told_with_every_picture():
    streams = Streams("auto")
    streams.info()
    assert streams.image(1.0).caution == ""  # a camera without depth
    streams.depth(1.1)
    assert streams.image(1.1).caution == ""
    streams.time = 5.0
    assert streams.image(4.9) is None  # its depth may be a moment behind
    moment = streams.image(5.0)
    assert moment.depth is None
    assert "no depth image has arrived on the topic `depth` for 5.0 s" in moment.caution
    assert streams.drops == {Code.NO_DEPTH: 1}
    streams.depth(6.0)
    assert streams.image(6.0).caution == ""


def test_a_camera_that_takes_a_picture_now_and_then_keeps_its_depth():
    streams = Streams("auto")
    streams.info()
    streams.depth(1.0)
    streams.image(1.0)
    for streams.time in (100.0, 200.0):
        assert streams.image(streams.time) is None
        assert streams.depth(streams.time).depth is not None
    assert streams.drops == {}


def test_depth_that_is_published_is_waited_for_and_missed():
    streams = Streams("auto")
    streams.info()
    streams.assembler.expect_depth()
    assert streams.image(1.0) is None
    streams.time = 2.0
    assert "though it is published" in streams.image(2.0).caution


def test_a_miss_says_how_far_away_the_nearest_partner_is():
    said = []
    streams = Streams("required")
    streams.assembler._drop = lambda code, sentence: said.append(sentence)
    streams.info()
    for i in range(12):
        streams.image(1.0 + i)
    assert said == ["an image found no partner within sync_slop (0.05 s): nearest depth none"] * 2
    for i in range(12):
        streams.depth(1.1 + i)
    assert "a depth image found no partner within sync_slop (0.05 s): nearest image 0.100 s away" in said
    assert "nearest depth 0.100 s away" in streams.assembler.missing().message


def test_calibration_of_another_frame_is_none():
    streams = Streams("none")
    streams.info()
    assert streams.image(1.0, "left_optical") is None
    assert streams.drops == {Code.FRAME_MISMATCH: 1}
    missing = streams.assembler.missing()
    assert (missing.code, "'left_optical'" in missing.message) == (Code.FRAME_MISMATCH, True)
    assert streams.image(1.1, "/optical") is not None  # a slash is no other frame
    assert streams.image(1.2, "") is not None  # nor is a name that is missing


def test_depth_of_another_frame_is_a_caution():
    streams = Streams("auto")
    streams.info()
    streams.depth(1.0, "infrared")
    assert "depth is of frame 'infrared'" in streams.image(1.0).caution


def test_time_that_goes_back():
    streams = Streams("required")
    streams.info()
    message = _stamped(camera_messages.image(PIXELS, "mono8"), 50.0, "optical")
    assert streams.assembler.went_back("image", message) == 0.0
    streams.image(100.0)
    streams.depth(60.0)
    assert streams.assembler.went_back("image", message) == 50.0
    assert streams.assembler.went_back("depth", _stamped(message, 59.5, "optical")) == 0.0  # out of order
    streams.assembler.clear()
    assert streams.assembler.went_back("image", _stamped(message, 50.0, "optical")) == 0.0
    assert streams.image(60.0) is None  # the old depth is gone


def test_uncalibrated():
    streams = Streams("none")
    streams.info(focal=0.0)
    assert streams.image(1.0) is None
    assert streams.drops == {Code.UNCALIBRATED: 1}
    assert streams.assembler.missing().code == Code.UNCALIBRATED


def test_auto_waits_for_depth_only_while_it_comes():
    streams = Streams("auto")
    streams.info()
    assert streams.image(1.0).depth is None
    streams.depth(1.1)
    assert streams.image(1.1).depth is not None
    assert streams.image(1.2) is None
    streams.time = 5.0  # the depth camera died
    assert streams.image(5.0).depth is None


def test_required_depth_that_never_comes_and_one_that_does_not_fit():
    streams = Streams("required")
    streams.info()
    assert streams.image(1.0) is None
    assert streams.assembler.missing().code == Code.NO_DEPTH
    for i in range(20):
        assert streams.image(1.0 + i) is None
        assert streams.depth(1.5 + i) is None
    assert streams.assembler.missing().code == Code.SYNC_MISS
    assert streams.drops[Code.SYNC_MISS] >= 20


def test_frames_are_told():
    streams = Streams("auto")
    streams.info()
    streams.image(1.0, "color_optical")
    streams.depth(1.0, "depth_optical")
    assert streams.assembler.frames() == {
        "camera_info": "optical",
        "image": "color_optical",
        "depth": "depth_optical",
    }


def test_an_unknown_depth_mode_names_the_allowed_ones():
    with pytest.raises(ValueError, match="auto, required, none"):
        Streams("maybe")


def test_every_code_has_a_meaning_and_a_fix():
    assert set(Code) - set(reasons.REASONS) == {Code.NONE}
    assert all(reason.meaning and reason.fix for reason in reasons.REASONS.values())


def test_what_is_told_of_frames_is_a_copy():
    streams = Streams("auto")
    streams.info()
    streams.assembler.frames()["image"] = "made_up"
    assert streams.assembler.frames() == {"camera_info": "optical"}
