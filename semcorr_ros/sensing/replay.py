"""Recorded messages through the same steps as a live camera's: what the node would have said."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Correspondences, FeatureMap, KeypointState
from semcorr_ros.features import ImageRef
from semcorr_ros.geometry.rotations import to_quaternion
from semcorr_ros.live_providers import LiveProviders
from semcorr_ros.matching._uncertainty import pose_covariance
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.tracking import Tracker
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.assembly import Assembler, Moment
from semcorr_ros.sensing.frame import Frame, observe, read_frame, with_depth
from semcorr_ros.sensing.judgement import MIN_SCORE, check_finite, judged, low_score


@dataclass(frozen=True)
class Settings:
    """Those of the node's parameters that decide about the answers."""

    depth: str = "auto"
    sync_slop: float = 0.05
    min_score: float = MIN_SCORE
    seed: int = 0
    tracking: bool = False  # start at the last picture's placement
    every: int = 1  # look at every n-th picture only


@dataclass
class Replay:
    """One pass over a bag."""

    models: list[ClassRepresentation]
    providers: LiveProviders
    config: Callable[[str], AlignmentConfig]  # constants of the alignment, by class
    settings: Settings = field(default_factory=Settings)
    dropped: Counter[str] = field(default_factory=Counter)  # by name of the reason
    reasons: dict[str, str] = field(default_factory=dict)  # the latest sentence of each
    pictures: int = 0
    _now: float = -math.inf
    _trackers: dict[str, Tracker] = field(default_factory=dict)

    def run(self, arrived: Iterable[Any], ahead: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """One JSON-ready entry per picture that was looked at; see `_entry`.

        ahead: the first item of each stream, where it is known: a live camera's first image comes before
        its calibration and depth and is lost, a recorded one need not be.
        """
        assembler = Assembler(self.settings.depth, self.settings.sync_slop, lambda: self._now, self._drop)
        take: dict[str, Callable[[Any], Moment | None]] = {
            "image": assembler.take_image,
            "depth": assembler.take_depth,
            "camera_info": assembler.take_info,
        }
        first = dict(ahead or {})
        if "camera_info" in first:
            assembler.take_info(first["camera_info"].message)
        if "depth" in first:
            self._now = min(item.seconds for item in first.values())
            assembler.expect_depth()
        for item in arrived:
            self._now = item.seconds
            moment = take[item.stream](item.message)
            if moment is None:
                continue
            self.pictures += 1
            if (self.pictures - 1) % self.settings.every == 0:
                yield self._entry(moment)

    def _drop(self, code: Code, sentence: str) -> None:
        self.dropped[code.name] += 1
        self.reasons[code.name] = sentence

    def _entry(self, moment: Moment) -> dict[str, Any]:
        """{"stamp": {"sec", "nanosec"}, "frame_id", "objects": [..],
        "refused": {class: {"code", "message"}}}"""
        header = moment.image.header
        entry: dict[str, Any] = {
            "stamp": {"sec": int(header.stamp.sec), "nanosec": int(header.stamp.nanosec)},
            "frame_id": header.frame_id,
            "objects": [],
            "refused": {},
        }
        try:
            measured = read_frame(moment.image, moment.camera_info, moment.depth)
            frame = with_depth(measured, self.providers.depth)
            features = self.providers.features.encode(ImageRef(frame.image))
        except Refusal as refusal:
            self._drop(refusal.code, refusal.message)
            entry["refused"] = {model.info.name: _refused(refusal) for model in self.models}
            return entry
        for model in self.models:
            try:
                entry["objects"].append(self._find(model, frame, features))
            except Refusal as refusal:
                self._drop(refusal.code, refusal.message)
                entry["refused"][model.info.name] = _refused(refusal)
        return entry

    def _find(self, model: ClassRepresentation, frame: Frame, features: FeatureMap) -> dict[str, Any]:
        name = model.info.name
        seen = observe(frame, features, model, self.providers)
        generator = torch.Generator().manual_seed(self.settings.seed)
        place, tracker = self._aligner(model)
        try:
            found = place(seen=seen, generator=generator)
        except ValueError as error:
            raise Refusal(Code.NOT_FOUND, str(error)) from error
        check_finite(name, found)
        if tracker is not None:
            self._trackers[name] = tracker
        confidence = float(found.confidence[0])
        if refusal := low_score(confidence, self.settings.min_score):
            raise refusal
        ids = torch.arange(len(model.info.keypoint_names), device=model.sparse.device)
        points = judged(pipeline.transfer_keypoints(model, seen, found, ids), self.settings.min_score)
        return {
            "class_name": name,
            "confidence": confidence,
            "metric": bool(found.metric),
            "pose": _pose(model, found),
            "keypoints": _keypoints(model, points),
            "edges": [list(edge) for edge in model.info.edges],
        }

    def _aligner(self, model: ClassRepresentation) -> tuple[Callable[..., Alignment], Tracker | None]:
        name = model.info.name
        if not self.settings.tracking:
            return functools.partial(pipeline.align, model, config=self.config(name)), None
        # Out of the table until it has come through: after any failure the object counts as lost.
        tracker = self._trackers.pop(name, None) or Tracker(model, self.config(name))
        return tracker.update, tracker


def _pose(model: ClassRepresentation, found: Alignment) -> dict[str, Any]:
    covariance = pose_covariance(model, found).tolist() if found.metric else None
    in_class_axes = (found.dense[0] - found.translation[0]) @ found.rotation[0]
    return {
        "position": found.translation[0].tolist(),
        "orientation": to_quaternion(found.rotation[0]).tolist(),
        "scale": float(found.scale[0]),
        "size": (in_class_axes.amax(0) - in_class_axes.amin(0)).tolist(),
        "covariance": covariance,
    }


def _keypoints(model: ClassRepresentation, points: Correspondences) -> list[dict[str, Any]]:
    rows = []
    for i, name in enumerate(model.info.keypoint_names):
        state, score = KeypointState(int(points.state[i])), float(points.score[i])
        xyz = points.xyz[i].tolist()
        known = all(map(math.isfinite, xyz))
        rows.append({
            "name": name,
            "state": state.name,
            "pixel": [value if math.isfinite(value) else None for value in points.points[i].tolist()],
            "xyz": xyz if known else None,
            "covariance": points.covariance[i].tolist() if known and points.covariance is not None else None,
            "score": score,
        })  # fmt: skip
    return rows


def _refused(refusal: Refusal) -> dict[str, str]:
    return {"code": refusal.code.name, "message": refusal.message}
