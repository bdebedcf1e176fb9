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
from semcorr_ros.artifacts import Alignment, Camera, DepthMap, FeatureMap, Observation
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.matching import View
from semcorr_ros.ros import conversions
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.worker import KeepGoing
from semcorr_ros.zoom import zoomed


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
        image = conversions.color_from_message(picture.image)
        size = (picture.image.height, picture.image.width)
        camera = _camera(picture, size, self.device)
        depth = _depth(picture, size, self.device)
        if picture.features is None:
            picture.features = self._extractor.encode(ImageRef(image))
        extras = pipeline.Extras(depth=depth, camera=camera)
        try:
            seen = pipeline.observe(resident.model, image.to(self.device), picture.features, extras)
        except ValueError as error:
            raise Refusal(Code.NOT_FOUND, str(error)) from error
        return zoomed(seen, ImageRef(image), self._extractor)


def _camera(picture: Picture, size: tuple[int, int], device: str) -> Camera | None:
    if picture.camera_info is None:
        return None
    camera = conversions.camera_from_message(picture.camera_info, size)
    if camera is None:
        return None
    return Camera(camera.focal.to(device), camera.principal_point.to(device), camera.size)


def _depth(picture: Picture, size: tuple[int, int], device: str) -> DepthMap | None:
    if picture.depth is None:
        return None
    depth = conversions.depth_from_message(picture.depth)
    if depth.values.shape != size:
        (h, w), (height, width) = depth.values.shape, size
        raise Refusal(
            Code.BAD_REQUEST,
            f"depth is {w}x{h} in frame {picture.depth.header.frame_id!r} but the image is {width}x{height} "
            f"in frame {picture.header.frame_id!r}; feed depth that is registered to the image",
        )
    return DepthMap(depth.values.to(device), depth.metric)


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
