"""A recorded camera as a source: its pictures in the order of recording, one at a time. Needs `rosbags`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from semcorr_ros.bags.bag import Bag, open_bag
from semcorr_ros.provider_options import ReadingOptions, StreamOptions
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.assembly import Assembler
from semcorr_ros.sensing.frame import read_frame
from semcorr_ros.sensing.reading import reading_for
from semcorr_ros.teach.pictures import Shot

EVERY = 10  # pictures that one step passes over: neighbours show the same


class BagSource:
    """Reads on when asked; back means from the beginning."""

    live = False

    def __init__(self, path: Path) -> None:
        """Open a bag. Raises ValueError, FileNotFoundError."""
        self.title = path.name
        self._stack = ExitStack()
        self._bag = self._stack.enter_context(open_bag(path, {}))
        self._lock = threading.Lock()
        self._begin()

    def latest(self) -> Shot:
        """Return the picture. Raises Refusal where the bag has none."""
        with self._lock:
            if self._shot is None:
                raise Refusal(Code.NO_IMAGE, f"{self.title} has no picture with a calibration")
            return self._shot

    def step(self, by: int) -> None:
        """Pass over pictures."""
        with self._lock:
            wanted = max(0, self._at + by * EVERY)
            if wanted < self._at:
                self._begin()
            while self._at < wanted and self._next():
                self._at += 1

    def position(self) -> tuple[int, int]:
        """Return which picture is shown, and of how many."""
        return self._at + 1, self._bag.images

    def close(self) -> None:
        """Close the bag."""
        self._stack.close()

    def _begin(self) -> None:
        self._at = 0
        self._shot: Shot | None = None
        self._frames = _frames(self._bag)
        self._next()

    def _next(self) -> bool:
        shot = next(self._frames, None)
        if shot is None:
            return False
        self._shot = shot
        return True


def _frames(bag: Bag) -> Iterator[Shot]:
    now = [0.0]
    options = StreamOptions()
    reading = reading_for(ReadingOptions(), bag.topics["image"])
    assembler = Assembler(options.depth, options.sync_slop, lambda: now[0], lambda code, sentence: None)
    first = bag.first()
    if "camera_info" in first:
        assembler.take_info(first["camera_info"].message)
    if "depth" in first:
        now[0] = min(item.seconds for item in first.values())
        assembler.expect_depth()
    for item in bag.messages():
        now[0] = item.seconds
        moment = None
        if item.stream == "camera_info":
            assembler.take_info(item.message)
        elif item.stream == "image":
            moment = assembler.take_image(item.message)
        elif item.stream == "depth":
            moment = assembler.take_depth(item.message)
        if moment is not None:
            try:
                yield Shot(read_frame(moment.image, moment.camera_info, moment.depth, reading))
            except Refusal:
                continue
