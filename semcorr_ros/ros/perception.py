"""From messages to an aligned class: the model side of the node. Called from the inference thread only."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros import pipeline
from semcorr_ros.artifacts import FeatureMap, Observation
from semcorr_ros.devices import choose_device
from semcorr_ros.features import ImageRef
from semcorr_ros.matching import View
from semcorr_ros.methods.semalign3d.alignment import engine, presets
from semcorr_ros.methods.semalign3d.alignment.tracking import Tracker
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.ros.declaration import parameter
from semcorr_ros.ros.networks import providers_from
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.worker import KeepGoing
from semcorr_ros.sensing.frame import Frame, read_frame, with_depth
from semcorr_ros.sensing.judgement import check_finite
from semcorr_ros.sensing.place import ANYWHERE, Place, observe_at, pieces

MAX_TRACKERS = 64  # objects followed at once; the oldest one goes

Report = Callable[[str, float, float], None]  # stage, progress in [0, 1], best energy (NaN: none yet)
# Progress at which a stage begins: shares of the time on a CPU.
STAGES = {"queued": 0.0, "features": 0.0, "initialize": 0.3, "optimize": 0.4, "select": 0.95}


def silent(stage: str, progress: float, energy: float) -> None:
    """A Report to nobody."""


@dataclass(frozen=True)
class Task:
    """One alignment: where to look, and how it talks with whoever asked for it."""

    keep_going: KeepGoing
    place: Place = ANYWHERE
    report: Report = silent


@dataclass
class Picture:
    """Messages of one moment. What is computed from them is kept: several classes may look at it."""

    image: Image
    camera_info: CameraInfo | None = None
    depth: Image | None = None
    features: FeatureMap | None = None
    decoded: Frame | None = None
    completed: Frame | None = None  # with depth, where a network gives it

    @property
    def header(self) -> Header:
        """Stamp and frame of everything that is derived from the picture."""
        return self.image.header

    def frame(self) -> Frame:
        """Decoded and rectified, once. Raises Refusal BAD_ENCODING, SIZE_MISMATCH, UNCALIBRATED."""
        if self.decoded is None:
            self.decoded = read_frame(self.image, self.camera_info, self.depth)
        return self.decoded


class Perception:
    """Networks, which all classes share, and alignment settings on one device."""

    def __init__(self, parameters: Parameters):
        self.device = choose_device(parameters, parameter)
        self._providers = providers_from(parameters, self.device)
        self._quality = parameters.quality
        settings = presets.constants(self._quality, "")  # a mistake in it should show at start
        engine.choose(settings.engine, settings.objective)  # here, not in the first request
        self._seed = parameters.seed
        self._trackers: dict[str, Tracker] = {}  # by class; of the stream
        self.on_placed: Callable[[Resident, View, Picture], None] = lambda resident, view, picture: None

    @property
    def backbone(self) -> str:
        """What the features of this node are comparable with."""
        return self._providers.features.backbone

    def view(self, resident: Resident, picture: Picture, task: Task) -> View:
        """The class placed in the picture. Raises Refusal BAD_ENCODING, NOT_FOUND, TIMEOUT and others."""
        settings = presets.constants(self._quality, resident.model.info.name)
        align = functools.partial(pipeline.align, resident.model, config=settings)
        return self._view(align, resident, picture, task)

    def next_view(self, resident: Resident, picture: Picture, task: Task, key: str) -> View:
        """`view` of the next picture of a stream: with quality "tracking", from where the object was.

        key: names the object and its camera.
        """
        if self._quality != "tracking":
            return self.view(resident, picture, task)
        # Out of the table until it has come through: after any failure the object counts as lost.
        tracker = self._trackers.pop(key, None)
        if tracker is None or tracker.model is not resident.model:
            tracker = Tracker(resident.model, presets.constants(self._quality, resident.model.info.name))
        view = self._view(tracker.update, resident, picture, task)
        self._trackers[key] = tracker
        while len(self._trackers) > MAX_TRACKERS:
            self._trackers.pop(next(iter(self._trackers)))
        return view

    def candidates(self, resident: Resident, picture: Picture, most: int) -> list[Place]:
        """Where objects of the class may be. Raises Refusal NOT_FOUND and those of a bad picture."""
        if most <= 1:
            return [ANYWHERE]
        frame = self._frame(picture)
        return pieces(frame, self._features(picture), resident.model, most)

    def _features(self, picture: Picture) -> FeatureMap:
        if picture.features is None:
            picture.features = self._providers.features.encode(ImageRef(picture.frame().image))
        return picture.features

    def _frame(self, picture: Picture) -> Frame:
        if picture.completed is None:
            picture.completed = with_depth(picture.frame(), self._providers.depth)
        return picture.completed

    def forget(self) -> None:
        """The next picture is searched as if it were the first. Any thread may call it."""
        self._trackers = {}

    def _view(
        self, align: Callable[..., Alignment], resident: Resident, picture: Picture, task: Task
    ) -> View:
        task.report("features", STAGES["features"], math.nan)
        seen = self._observe(resident, picture, task.place)
        if not task.keep_going():
            raise _stopped()
        task.report("initialize", STAGES["initialize"], math.nan)
        generator = torch.Generator().manual_seed(self._seed)  # on the CPU: same draws on every device
        try:
            found = align(seen=seen, generator=generator, on_step=_on_step(task))
        except ValueError as error:
            raise Refusal(Code.NOT_FOUND, str(error)) from error
        if not task.keep_going():
            raise _stopped()
        check_finite(resident.model.info.name, found)
        view = View(seen, found)
        self.on_placed(resident, view, picture)
        return view

    def _observe(self, resident: Resident, picture: Picture, place: Place) -> Observation:
        features = self._features(picture)
        return observe_at(place, self._frame(picture), features, resident.model, self._providers)


def _on_step(task: Task) -> Callable[[int, int, float], bool]:
    begin, end = STAGES["optimize"], STAGES["select"]

    def on_step(done: int, steps: int, energy: float) -> bool:
        if not task.keep_going():
            raise _stopped()  # returning False would still rank what has been found so far
        if done >= steps:
            task.report("select", end, energy)
        else:
            task.report("optimize", begin + (end - begin) * done / steps, energy)
        return True

    return on_step


def _stopped() -> Refusal:
    return Refusal(Code.TIMEOUT, "the alignment was stopped before it was done")
