"""Send recorded messages through the same steps as a live camera's: what the node would have answered."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import Pose
from semcorr_ros.bags.moved import moved
from semcorr_ros.bags.recorded_frames import RecordedFrames
from semcorr_ros.finder import Finder
from semcorr_ros.geometry.rotations import to_quaternion
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.assembly import Assembler, Moment
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading
from semcorr_ros.sensing.regions import (
    Marks,
    RegionPairs,
    marks_from_detections,
    marks_from_regions,
    shot_of,
)
from semcorr_ros.serving.class_bank import ClassBank
from semcorr_ros.stream import Stream


@dataclass(frozen=True)
class Settings:
    """Those of the node's parameters that affect the answers."""

    depth: str = "auto"
    regions: str = "auto"
    sync_slop: float = 0.05
    class_aliases: Mapping[str, str] = field(default_factory=dict)  # our names of a detector's classes
    max_instances: int = 1
    reading: Reading = Reading()  # noqa: RUF009 - frozen
    every: int = 1  # look at every n-th picture only
    target_frame: str = ""  # of all positions, by `frames`; empty: the camera's
    frames: RecordedFrames | None = None


@dataclass
class Replay:
    """One pass over a bag; every class of the bank is looked for."""

    bank: ClassBank
    finder: Finder
    settings: Settings = field(default_factory=Settings)
    dropped: Counter[str] = field(default_factory=Counter)  # by name of the reason
    reasons: dict[str, str] = field(default_factory=dict)  # the latest sentence of each
    notes: Counter[str] = field(default_factory=Counter)  # caveats on answers
    damaged: list[str] = field(default_factory=list)  # what of the bag could not be read
    pictures: int = 0
    latest: Picture | None = None  # that of the latest entry
    _now: float = -math.inf
    _stream: Stream = field(default_factory=Stream)
    _frames: dict[str, str] = field(default_factory=dict)

    def run(self, arrived: Iterable[Any], ahead: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield one JSON-ready entry per picture that was looked at; see `_entry`.

        ahead: the first item of each stream, where it is known: a live camera's first image comes before
        its calibration and depth and is lost, a recorded one need not be.
        """
        settings, aliases = self.settings, self.settings.class_aliases
        paired: list[tuple[Picture, Marks | None]] = []

        def now() -> float:
            return self._now

        def pair(picture: Picture, marks: Marks | None) -> None:
            paired.append((picture, marks))

        assembler = Assembler(settings.depth, settings.sync_slop, now, self._drop)
        pairs = RegionPairs(settings.regions, settings.sync_slop, now, self._drop, pair)

        def picture(moment: Moment | None) -> None:
            if moment is not None:
                self._check_frames(assembler.frames())
                pairs.take_picture(
                    Picture(moment.image, moment.camera_info, moment.depth, reading=settings.reading)
                )

        take: dict[str, Callable[[Any], object]] = {
            "camera_info": lambda message: picture(assembler.take_info(message)),
            "image": lambda message: picture(assembler.take_image(message)),
            "depth": lambda message: picture(assembler.take_depth(message)),
            "regions": lambda message: pairs.take_marks(marks_from_regions(message, aliases)),
            "detections": lambda message: pairs.take_marks(marks_from_detections(message, aliases)),
        }
        first = dict(ahead or {})
        if "camera_info" in first:
            assembler.take_info(first["camera_info"].message)
        if first:
            self._now = min(item.seconds for item in first.values())
        if "depth" in first:
            assembler.expect_depth()
        if "regions" in first or "detections" in first:
            pairs.expect_marks()
        for item in arrived:
            self._now = item.seconds
            take[item.stream](item.message)
            while paired:
                self.pictures += 1
                if (self.pictures - 1) % settings.every == 0:
                    self.latest = paired[0][0]
                    yield self._moved(self._entry(*paired[0]), self.latest.header)
                paired.pop(0)

    def _check_frames(self, frames: dict[str, str]) -> None:
        """Say once per change that frames differ, as the node does."""
        if frames != self._frames and len(set(frames.values())) > 1:
            listed = ", ".join(f"{name} {frame!r}" for name, frame in frames.items())
            self._drop(Code.FRAME_MISMATCH, f"frames differ: {listed}; depth must be registered to the image")
        self._frames = frames

    def _drop(self, code: Code, sentence: str) -> None:
        self.dropped[code.name] += 1
        self.reasons[code.name] = sentence

    def _entry(self, picture: Picture, marks: Marks | None) -> dict[str, Any]:
        """Make {"stamp": {"sec", "nanosec"}, "frame_id", "objects": [..], "refused": {class: {"code",
        "message"}}}."""
        stamp, objects, refused = picture.header.stamp, [], {}
        for name in [resident.info.name for resident in self.bank.all()]:
            try:
                answers, others = self._look(name, picture, marks)
            except Refusal as error:
                answers, others = [], [error]
            objects += [_object(answer) for answer in answers]
            self.notes.update(answer.note for answer in answers if answer.note)
            for refusal in others:
                self._drop(refusal.code, refusal.message)
                refused[name] = {"code": refusal.code.name, "message": refusal.message}
        return {
            "stamp": {"sec": int(stamp.sec), "nanosec": int(stamp.nanosec)},
            "frame_id": picture.header.frame_id,
            "objects": objects,
            "refused": refused,
        }

    def _moved(self, entry: dict[str, Any], header: Any) -> dict[str, Any]:
        """Move an entry to the target frame; without a transform nothing is told, as the node does it."""
        target, frames = self.settings.target_frame, self.settings.frames
        if not target or frames is None or header.frame_id == target:
            return entry
        try:
            return moved(entry, frames.lookup(target, header), target)
        except Refusal as refusal:
            self._drop(refusal.code, refusal.message)
            told = {"code": refusal.code.name, "message": refusal.message}
            names = [found["class_name"] for found in entry["objects"]]
            return entry | {"objects": [], "refused": entry["refused"] | dict.fromkeys(names, told)}

    def _look(self, name: str, picture: Picture, marks: Marks | None) -> tuple[list[Answer], list[Refusal]]:
        """Find every object of a class, and why others are not told. Raises Refusal."""
        resident = self.bank.hold(name)
        shot = shot_of(picture, marks, self.finder.scene, self.settings.max_instances)
        answers, refused = self._stream.look(self.finder, resident.model, shot)
        self.bank.learn(resident, [*answers, *refused], picture.depth is not None)
        return answers, [answer.refusal for answer in refused if answer.refusal is not None]


def _object(answer: Answer) -> dict[str, Any]:
    pose = answer.pose  # None: of a class without one
    return {
        "class_name": answer.info.name,
        "instance_id": answer.instance_id,
        "confidence": answer.confidence,
        "note": answer.note,
        "metric": pose is not None and pose.metric,
        "pose": None if pose is None else _pose(pose),
        "keypoints": _keypoints(answer),
        "edges": [list(edge) for edge in answer.edges],
    }


def _pose(pose: Pose) -> dict[str, Any]:
    return {
        "position": pose.translation.tolist(),
        "orientation": to_quaternion(pose.rotation).tolist(),
        "scale": pose.scale,
        "size": pose.size.tolist(),
        "covariance": None if pose.covariance is None else pose.covariance.tolist(),
    }


def _keypoints(answer: Answer) -> list[dict[str, Any]]:
    rows = []
    for i, (name, state) in enumerate(zip(answer.names, answer.states, strict=True)):
        xyz = answer.xyz[i].tolist()
        known = all(map(math.isfinite, xyz))
        covariances = answer.covariances if known else None
        rows.append({
            "name": name,
            "state": state.name,
            "pixel": [value if math.isfinite(value) else None for value in answer.pixels[i].tolist()],
            "xyz": xyz if known else None,
            "covariance": None if covariances is None else covariances[i].tolist(),
            "score": float(answer.scores[i]),
        })  # fmt: skip
    return rows
