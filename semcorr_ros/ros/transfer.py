"""The TransferKeypoints request: check it, place the class in source and target, fill in the response."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from sensor_msgs.msg import CameraInfo, Image

from semcorr_ros import pipeline
from semcorr_ros.matching import View
from semcorr_ros.msg import SemanticKeypoint, SemanticKeypoints
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.messages import instance_message, keypoint_messages, pose_message
from semcorr_ros.sensing.judgement import low_score, unmeasured
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.place import ANYWHERE, Place, box_from_message
from semcorr_ros.serving.class_bank import ClassBank
from semcorr_ros.serving.demonstration_file import Record
from semcorr_ros.serving.demonstrations import Demonstrations, Taught, named
from semcorr_ros.serving.perception import Perception, Task
from semcorr_ros.serving.resident import Resident
from semcorr_ros.serving.worker import KeepGoing
from semcorr_ros.srv import TransferKeypoints

MAX_POINTS = 4096  # of a request: bounds what is allocated for it

if TYPE_CHECKING:
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Request as Request
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Response as Response


class Transfer:
    """Serves requests one at a time, in the inference thread."""

    def __init__(self, bank: ClassBank, perception: Perception, demonstrations: Demonstrations):
        self._bank = bank
        self._perception = perception
        self._demonstrations = demonstrations

    def check(self, request: Request) -> None:
        """What can be said without computing. Raises Refusal."""
        resident = self._bank.get(request.class_name)
        shown = has_image(request.source_image)
        if request.points and not shown and not request.demonstration_id:
            raise Refusal(Code.BAD_REQUEST, "`points` need a `source_image` or a `demonstration_id`")
        if shown and not request.points and not request.demonstration_id:
            raise Refusal(
                Code.BAD_REQUEST, "`source_image` needs `points` or a `demonstration_id` to keep it"
            )
        check_points(request.points, request.keypoint_names if request.points else [])
        if len(request.keypoint_names) > MAX_POINTS:
            raise Refusal(
                Code.BAD_REQUEST, f"{len(request.keypoint_names)} `keypoint_names`; at most {MAX_POINTS}"
            )
        if shown:
            check_inside(request.points, (request.source_image.height, request.source_image.width))
        if _of_class(request):
            _check_names(resident, request.keypoint_names)

    def answer(self, request: Request, target: Picture, min_score: float, keep_going: KeepGoing) -> Response:
        """The filled-in response. Raises Refusal."""
        start = time.perf_counter()
        resident = self._bank.hold(request.class_name)
        source = self._source(request, resident, keep_going)
        if source is not None:
            _check_source(source, min_score)
        task = Task(keep_going, place_in(target, request.target_roi))
        view = self._perception.view(resident, target, task)
        names = list(request.keypoint_names)
        if _of_class(request):
            ids = _keypoint_ids(resident, names)
            found = pipeline.transfer_keypoints(resident.model, view.seen, view.aligned, ids)  # type: ignore[arg-type]
            names = [resident.model.info.keypoint_names[i] for i in ids.tolist()]
        else:
            assert source is not None
            points, names = (source.points, names) if request.points else named(source, names)
            found = pipeline.transfer_points(resident.model, source.view, view, points)
            names = names or list(source.names)
        assert view.aligned is not None
        refused = low_score(float(view.aligned.confidence[0]), min_score) is not None
        keypoints = keypoint_messages(names, found, min_score, refused)
        response = _response(resident, view, _instance(resident, keypoints, request), min_score)
        response.header = target.header
        response.inference_time = time.perf_counter() - start
        return response

    def teach(self, record: Record, overwrite: bool, min_score: float, keep_going: KeepGoing) -> Any:
        """Place the class in a picture and store it: (info, confidence). Raises Refusal."""
        resident = self._bank.hold(record.class_name)
        frame = record.picture.frame()
        check_inside(record.points.tolist(), (int(frame.image.shape[0]), int(frame.image.shape[1])))
        self._demonstrations.check_new((record.class_name, record.id), overwrite)
        view = self._place(resident, record, keep_going)
        assert view.aligned is not None
        confidence = float(view.aligned.confidence[0])
        if refusal := low_score(confidence, min_score):
            raise refusal
        points = record.points.to(self._perception.device)
        return self._demonstrations.store(
            record, Taught(view, points, record.names, resident.version)
        ), confidence

    def _source(self, request: Request, resident: Resident, keep_going: KeepGoing) -> Taught | None:
        """The picture that points are marked in; the request's own points go before the stored ones."""
        key = (request.class_name, request.demonstration_id)
        points = torch.tensor([[p.x, p.y] for p in request.points], device=self._perception.device)
        names = tuple(request.keypoint_names) or tuple(f"point_{i}" for i in range(len(points)))
        if has_image(request.source_image):
            picture = inline_picture(request.source_image, request.source_camera_info, request.source_depth)
            record = Record(key[1], key[0], picture, points, names)
            taught = Taught(self._place(resident, record, keep_going), points, names, resident.version)
            if key[1]:
                self._demonstrations.keep(key, taught)
            return taught
        if not key[1]:
            return None
        taught = self._demonstrations.find(
            key, resident, lambda record: self._place(resident, record, keep_going)
        )
        if not len(points):
            return taught
        height, width = taught.view.seen.image.shape[:2]
        check_inside(points.tolist(), (int(height), int(width)))
        return replace(taught, points=points, names=names)

    def _place(self, resident: Resident, record: Record, keep_going: KeepGoing) -> View:
        try:
            task = Task(keep_going, place_in(record.picture, record.roi))
            return self._perception.view(resident, record.picture, task)
        except Refusal as refusal:
            raise Refusal(refusal.code, f"source picture: {refusal.message}") from refusal


def _check_source(source: Taught, min_score: float) -> None:
    """Raises Refusal LOW_SCORE: points of a picture that is not understood lead anywhere."""
    assert source.view.aligned is not None
    if refusal := low_score(float(source.view.aligned.confidence[0]), min_score):
        raise Refusal(refusal.code, f"source picture: {refusal.message}")


def _of_class(request: Request) -> bool:
    """Does the request ask for keypoints of the class, not for points of a picture?"""
    return not request.points and (has_image(request.source_image) or not request.demonstration_id)


def has_image(message: Image) -> bool:
    """An Image field that was filled in."""
    return message.width > 0 and message.height > 0


def inline_picture(image: Image, camera_info: CameraInfo, depth: Image) -> Picture:
    """Picture of the optional messages of a request."""
    return Picture(image, camera_info if camera_info.k[0] != 0 else None, depth if has_image(depth) else None)


def place_in(picture: Picture, roi: Any) -> Place:
    """Where to look in a picture; roi: a RegionOfInterest, or None for all of it.

    Raises Refusal BAD_REQUEST for a region outside of it.
    """
    if roi is None:
        return ANYWHERE
    height, width = picture.frame().image.shape[:2]
    box = box_from_message(roi, (int(height), int(width)))
    return ANYWHERE if box is None else Place(box=box)


def check_points(points: Sequence[Any], names: Sequence[str]) -> None:
    """Raises Refusal BAD_REQUEST for too many, or names that are not one per point."""
    if len(points) > MAX_POINTS:
        raise Refusal(Code.BAD_REQUEST, f"{len(points)} `points`; at most {MAX_POINTS} at a time")
    if len(names) not in (0, len(points)):
        raise Refusal(Code.BAD_REQUEST, f"{len(names)} names for {len(points)} `points`")


def check_inside(points: Sequence[Any], size: tuple[int, int]) -> None:
    """Raises Refusal BAD_REQUEST for a point (message or pair) that is not in an image of size (h, w)."""
    height, width = size
    for i, point in enumerate(points):
        x, y = point if isinstance(point, (list, tuple)) else (point.x, point.y)
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise Refusal(
                Code.BAD_REQUEST, f"point {i} ({x:.1f}, {y:.1f}) is outside the {width}x{height} source image"
            )


def _keypoint_ids(resident: Resident, names: list[str]) -> torch.Tensor:
    model = resident.model
    _check_names(resident, names)
    ids = [model.info.keypoint_names.index(name) for name in names or resident.known]
    return torch.tensor(ids, dtype=torch.long, device=model.sparse.device)


def _check_names(resident: Resident, names: Sequence[str]) -> None:
    for name in names:
        if name not in resident.known:
            raise Refusal(
                Code.BAD_REQUEST,
                f"class {resident.info.name!r} has no keypoint {name!r}; it has: {', '.join(resident.known)}",
            )


def _instance(resident: Resident, keypoints: list[SemanticKeypoint], request: Request) -> SemanticKeypoints:
    message = instance_message(resident.model, keypoints, "")
    if not _of_class(request) or request.keypoint_names:
        message.edges = []  # they index the keypoints of the class, not those of the request
    return message


def _response(resident: Resident, view: View, keypoints: SemanticKeypoints, min_score: float) -> Response:
    assert view.aligned is not None
    response = TransferKeypoints.Response(
        keypoints=keypoints, pose=pose_message(resident.model, view.aligned, "")
    )
    confidence = response.pose.confidence
    refusal = low_score(confidence, min_score)
    response.success = refusal is None
    response.message = unmeasured(view.seen, view.aligned)
    if refusal is not None:
        response.error_code, response.message = int(refusal.code), refusal.message
    return response
