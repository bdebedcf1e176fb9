"""From messages to an aligned class: the model side of the node. Called from the inference thread only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros import alignment, config, pipeline, plugins
from semcorr_ros.alignment import presets
from semcorr_ros.alignment.tracking import Tracker
from semcorr_ros.artifacts import Alignment, FeatureMap, Observation
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.matching import View
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.worker import KeepGoing
from semcorr_ros.sensing.frame import observe, read_frame


@dataclass
class Picture:
    """Messages of one moment. Features are kept once computed: several classes may look at them."""

    image: Image
    camera_info: CameraInfo | None = None
    depth: Image | None = None
    features: FeatureMap | None = None

    @property
    def header(self) -> Header:
        """Stamp and frame of everything that is derived from the picture."""
        return self.image.header


class Perception:
    """Feature extractor and alignment settings on one device."""

    def __init__(self, parameters: Parameters):
        self.device = _device(parameters.device)
        if parameters.threads:
            torch.set_num_threads(parameters.threads)
        self._extractor = _extractor(parameters, self.device)
        self._quality = parameters.quality
        _alignment_config(self._quality, "")  # a mistake in it should show at start
        self._seed = parameters.seed
        self._trackers: dict[str, Tracker] = {}  # by class; of the stream

    @property
    def backbone(self) -> str:
        """What the features of this node are comparable with."""
        return self._extractor.backbone

    def view(self, resident: Resident, picture: Picture, keep_going: KeepGoing) -> View:
        """The class placed in the picture. Raises Refusal BAD_ENCODING, NOT_FOUND, TIMEOUT and others."""
        settings = _alignment_config(self._quality, resident.model.info.name)
        align = functools.partial(pipeline.align, resident.model, config=settings)
        return self._view(align, resident, picture, keep_going)

    def next_view(self, resident: Resident, picture: Picture, keep_going: KeepGoing) -> View:
        """`view` of the next picture of a stream: with quality "tracking", from where the object was."""
        if self._quality != "tracking":
            return self.view(resident, picture, keep_going)
        name = resident.model.info.name
        # Out of the table until it has come through: after any failure the object counts as lost.
        tracker = self._trackers.pop(name, None)
        if tracker is None or tracker.model is not resident.model:
            tracker = Tracker(resident.model, _alignment_config(self._quality, name))
        view = self._view(tracker.update, resident, picture, keep_going)
        self._trackers[name] = tracker
        return view

    def _view(
        self, align: Callable[..., Alignment], resident: Resident, picture: Picture, keep_going: KeepGoing
    ) -> View:
        seen = self._observe(resident, picture)
        generator = torch.Generator().manual_seed(self._seed)  # on the CPU: same draws on every device
        try:
            found = align(seen=seen, generator=generator, on_step=lambda *_: keep_going())
        except ValueError as error:
            raise Refusal(Code.NOT_FOUND, str(error)) from error
        if not keep_going():
            raise Refusal(Code.TIMEOUT, "the alignment was stopped before it was done")
        if not _is_finite(found):
            raise Refusal(Code.NOT_FOUND, f"the alignment of class {resident.model.info.name!r} diverged")
        return View(seen, found)

    def _observe(self, resident: Resident, picture: Picture) -> Observation:
        frame = read_frame(picture.image, picture.camera_info, picture.depth)
        if picture.features is None:
            picture.features = self._extractor.encode(ImageRef(frame.image))
        return observe(frame, picture.features, resident.model, self._extractor)


def _is_finite(found: Alignment) -> bool:
    return bool(torch.isfinite(found.keypoints[0]).all() and torch.isfinite(found.confidence[0]))


def _device(name: str) -> str:
    device = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {device!r} cannot be used here: {error}") from error
    return device


def _extractor(parameters: Parameters, device: str) -> FeatureExtractor:
    module = plugins.load("features", parameters.backbone)
    options = {"device": device} | ({"weights": parameters.weights} if parameters.weights else {})
    return module.build(config.from_dict(module.Config, options, where=f"features/{parameters.backbone}"))


def _alignment_config(quality: str, category: str) -> alignment.Config:
    if quality.endswith((".yaml", ".yml")):
        return config.load(alignment.Config, quality)
    return presets.preset(quality, category)
