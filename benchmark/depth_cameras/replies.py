"""What the node said of one thing in one picture, and whom it is about where it does not say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.depth_cameras import measures
from benchmark.depth_cameras.frames import UNKNOWN, Box, Recording, Truth
from semcorr_ros.refusal import Code

WHOLE, BOXED = "whole picture", "in the box"
STREAM_WHOLE, STREAM_BOXED = "stream, whole picture", "stream, regions"
WAYS = (WHOLE, BOXED, STREAM_WHOLE, STREAM_BOXED)
NOTHING = "no object"
OTHER = "OTHER_OBJECT"  # instead of a code: the answer is about another one of the same picture


@dataclass(frozen=True)
class Question:
    """Where to look in which picture, and what is there; `thing` is an object's name where `real`."""

    recording: Recording
    variant: str
    where: str  # of WAYS
    thing: str
    real: bool
    box: Box | None = None


@dataclass(frozen=True)
class Told:
    """What was said, as the messages have it."""

    code: str
    message: str = ""
    seconds: float = 0.0
    keypoints: Sequence[Any] = ()  # SemanticKeypoint
    pose: Any = None  # ClassPose

    @property
    def pixels(self) -> dict[str, tuple[float, float]]:
        """Return where known keypoints are."""
        found = {k.name: (float(k.pixel.x), float(k.pixel.y)) for k in self.keypoints}
        return {name: at for name, at in found.items() if math.isfinite(at[0])}


@dataclass(frozen=True)
class Reply:
    """One answer, and how far off it is where the truth is known."""

    frame: str
    variant: str
    thing: str
    real: bool
    where: str
    code: str
    message: str = ""
    confidence: float = 0.0  # 0: nothing was placed
    metric: bool = False
    seconds: float = 0.0
    box: Box | None = None
    pixels: dict[str, tuple[float, float]] = field(default_factory=dict)
    errors: measures.Errors | None = None
    camera: str = UNKNOWN
    extent: float = 0.0  # of a real object, pixels
    direction_seen: bool = False
    elsewhere: bool = False  # what is placed is centred outside of the object's box

    @property
    def answered(self) -> bool:
        """Tell whether the node stood by it."""
        return self.code == Code.NONE.name

    @property
    def pck(self) -> float:
        """Return the PCK@0.1; 0 where nothing was placed."""
        return self.errors.pck if self.errors else 0.0


def reply(question: Question, told: Told) -> Reply:
    """Measure what was said against what is true."""
    recording, pixels = question.recording, told.pixels
    about: dict[str, Any] = {}
    if question.real:
        truth = recording.objects[question.thing]
        about = {"extent": truth.extent, "direction_seen": truth.direction_seen}
        if pixels:
            about["errors"] = _errors(truth, told)
            about["elsewhere"] = not _inside(_center(pixels), recording.box(question.thing))
    confidence = float(told.pose.confidence) if told.pose is not None else 0.0
    return Reply(
        recording.name, question.variant, question.thing, question.real, question.where, told.code,
        told.message, confidence if math.isfinite(confidence) else 0.0,
        told.pose is not None and bool(told.pose.metric), told.seconds, question.box, pixels,
        camera=recording.camera, **about,
    )  # fmt: skip


def shared_out(
    recording: Recording, variant: str, where: str, said: Sequence[Told], otherwise: Told
) -> Iterator[Reply]:
    """Share what was said of one picture out among the things in it. otherwise: about what got nothing.

    What is left over was found where there is nothing.
    """
    boxes = {name: recording.box(name) for name in recording.objects}
    if where == STREAM_BOXED:
        boxes |= recording.negatives
    owner = nearest([_center(told.pixels) for told in said], boxes)
    for name, box in boxes.items():
        told = said[owner[name]] if name in owner else otherwise
        shown = box if where == STREAM_BOXED else None
        yield reply(Question(recording, variant, where, name, name in recording.objects, shown), told)
    rest = [told for i, told in enumerate(said) if i not in owner.values()]
    for told in rest or ([] if boxes else [otherwise]):
        yield reply(Question(recording, variant, where, NOTHING, False), told)


def nearest(centers: Sequence[tuple[float, float]], boxes: Mapping[str, Box]) -> dict[str, int]:
    """Give each thing at most one of the places, the nearest pairs first."""
    away = sorted(
        (math.dist(at, (x + w / 2, y + h / 2)), name, i)
        for name, (x, y, w, h) in boxes.items()
        for i, at in enumerate(centers)
    )
    owner: dict[str, int] = {}
    for _, name, i in away:
        if name not in owner and i not in owner.values():
            owner[name] = i
    return owner


def _errors(truth: Truth, told: Told) -> measures.Errors:
    xyz = {k.name: (k.xyz.x, k.xyz.y, k.xyz.z) for k in told.keypoints}
    q = told.pose.pose.orientation
    return measures.errors(truth, told.pixels, xyz, measures.rotation_matrix(q.x, q.y, q.z, q.w))


def _center(pixels: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    xs, ys = zip(*pixels.values(), strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def _inside(at: tuple[float, float], box: Box) -> bool:
    x, y, w, h = box
    return x <= at[0] < x + w and y <= at[1] < y + h
