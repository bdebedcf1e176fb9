"""Where pictures come from: a folder, a webcam; a bag is in bag_source.py, ROS in ros/teaching.py."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import torch

from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.datasets._listed import first_file
from semcorr_ros.files import depth as depth_files
from semcorr_ros.files.camera import read_camera
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.teach.pictures import Shot, files_of, read_shot

OPENING = 5.0  # seconds that a webcam has for its first picture


class Source(Protocol):
    """Shows one picture at a time."""

    title: str  # for the page
    live: bool  # it changes by itself; else `step` turns the pages

    def latest(self) -> Shot:
        """Return the picture that is shown now, the same object as long as it is the same.

        Raises Refusal saying why there is none.
        """
        ...

    def step(self, by: int) -> None:
        """Show another picture of those that do not move."""
        ...

    def position(self) -> tuple[int, int]:
        """Return which picture is shown, from 1, and of how many; (0, 0) where they have no number."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class FolderSource:
    """Picture files, with depth/<stem> and cameras/<stem>.json beside them where they are."""

    live = False

    def __init__(self, folder: Path) -> None:
        """List the pictures. Raises FileNotFoundError."""
        self._files = files_of(folder)
        self._at, self._read = 0, -1
        self._shot: Shot | None = None
        self.title = folder.name or str(folder)
        self._lock = threading.Lock()

    def latest(self) -> Shot:
        """Read the picture. Raises Refusal BAD_FILE naming it."""
        with self._lock:
            path = self._files[self._at]
            if self._shot is None or self._read != self._at:
                try:
                    shot = read_shot(path.read_bytes(), path.name)
                    self._shot = replace(shot, frame=_beside(path, shot.frame))
                except (OSError, ValueError) as error:
                    raise Refusal(Code.BAD_FILE, str(error)) from error
                self._read = self._at
            return self._shot

    def step(self, by: int) -> None:
        """Turn to another picture; the last one is followed by the first."""
        with self._lock:
            self._at = (self._at + by) % len(self._files)

    def position(self) -> tuple[int, int]:
        """Return which picture is shown, and of how many."""
        return self._at + 1, len(self._files)

    def close(self) -> None:
        """Nothing is open."""


class Webcam:
    """A camera of this machine, by its number (OpenCV)."""

    live = True

    def __init__(self, number: int) -> None:
        """Open it. Raises ValueError where there is none, or it shows nothing."""
        self.title = f"camera {number}"
        self._camera = cv2.VideoCapture(number)
        self._latest: Shot | None = None
        self._closed = False
        if not self._camera.isOpened():
            raise ValueError(f"--camera {number}: no such camera, or another program has it")
        self._thread = threading.Thread(target=self._read, name="webcam", daemon=True)
        self._thread.start()
        end = time.monotonic() + OPENING
        while self._latest is None and time.monotonic() < end:
            time.sleep(0.05)
        if self._latest is None:
            self.close()
            raise ValueError(f"--camera {number}: it gave no picture within {OPENING:.0f} s")

    def latest(self) -> Shot:
        """Return the latest picture. Raises Refusal NO_IMAGE."""
        if self._latest is None:
            raise Refusal(Code.NO_IMAGE, f"{self.title} gives no pictures any more")
        return self._latest

    def step(self, by: int) -> None:
        """Nothing: it moves by itself."""

    def position(self) -> tuple[int, int]:
        """Return that pictures have no number."""
        return 0, 0

    def close(self) -> None:
        """Close the device."""
        self._closed = True
        self._thread.join(2.0)
        self._camera.release()

    def _read(self) -> None:
        while not self._closed:
            good, pixels = self._camera.read()
            if not good:
                self._latest = None
                time.sleep(0.2)
                continue
            self._latest = Shot(Frame(torch.from_numpy(pixels[..., ::-1].copy())))


def _beside(path: Path, frame: Frame) -> Frame:
    """Add the depth and the camera that lie beside a picture, in its folder or the one above."""
    size = (int(frame.image.shape[0]), int(frame.image.shape[1]))
    for root in (path.parent, path.parent.parent):
        depth = first_file(root / "depth", path.stem, depth_files.SUFFIXES)
        camera = first_file(root / "cameras", path.stem, (".json",))
        if depth is not None and frame.depth is None:
            values = depth_files.read_depth(depth, size, image=path)
            frame = replace(frame, depth=DepthMap(values, metric=True))
        if camera is not None and frame.camera is None:
            frame = replace(frame, camera=read_camera(camera, size))
    return frame
