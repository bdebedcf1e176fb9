"""The TransferKeypoints request: check it, place the class in source and target, fill in the response."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from sensor_msgs.msg import CameraInfo, Image

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Correspondences
from semcorr_ros.matching import View
from semcorr_ros.msg import SemanticKeypoints
from semcorr_ros.ros.class_bank import ClassBank, Resident
from semcorr_ros.ros.messages import instance_message, keypoint_messages, pose_message
from semcorr_ros.ros.perception import Perception, Picture, Task
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.results import too_uncertain
from semcorr_ros.ros.worker import KeepGoing
from semcorr_ros.srv import TransferKeypoints

MAX_DEMONSTRATIONS = 16  # aligned source pictures kept; the least recently used one goes

if TYPE_CHECKING:
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Request as Request
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Response as Response


@dataclass(frozen=True)
class Demonstration:
    """A source picture with the class placed in it."""

    view: View
    class_version: str


class Transfer:
    """Serves requests one at a time, in the inference thread; remembers demonstrations."""

    def __init__(self, bank: ClassBank, perception: Perception):
        self._bank = bank
        self._perception = perception
        self._demonstrations: OrderedDict[tuple[str, str], Demonstration] = OrderedDict()

    def check(self, request: Request) -> None:
        """What can be said without computing. Raises Refusal."""
        resident = self._bank.get(request.class_name)
        has_source = has_image(request.source_image) or bool(request.demonstration_id)
        if request.points and not has_source:
            raise Refusal(Code.BAD_REQUEST, "`points` need a `source_image` or a `demonstration_id`")
        if has_image(request.source_image) and not request.points and not request.demonstration_id:
            raise Refusal(
                Code.BAD_REQUEST, "`source_image` needs `points` or a `demonstration_id` to keep it"
            )
        if request.points and len(request.keypoint_names) not in (0, len(request.points)):
            raise Refusal(
                Code.BAD_REQUEST,
                f"{len(request.keypoint_names)} `keypoint_names` for {len(request.points)} `points`",
            )
        if not request.points:
            _keypoint_ids(resident, list(request.keypoint_names))
        elif has_image(request.source_image):
            _check_inside(request)

    def forget(self) -> None:
        """Drop every kept demonstration."""
        self._demonstrations = OrderedDict()

    def answer(self, request: Request, target: Picture, min_score: float, keep_going: KeepGoing) -> Response:
        """The filled-in response. Raises Refusal."""
        start = time.perf_counter()
        resident = self._bank.get(request.class_name)
        source = self._source(request, resident, keep_going)
        view = self._perception.view(resident, target, Task(keep_going))
        if request.points:
            assert source is not None
            points = torch.tensor([[p.x, p.y] for p in request.points], device=self._perception.device)
            found = pipeline.transfer_points(resident.model, source, view, points)
            names = list(request.keypoint_names) or [f"point_{i}" for i in range(len(points))]
        else:
            ids = _keypoint_ids(resident, list(request.keypoint_names))
            found = pipeline.transfer_keypoints(resident.model, view.seen, view.aligned, ids)  # type: ignore[arg-type]
            names = [resident.model.info.keypoint_names[i] for i in ids.tolist()]
        response = _response(resident, view, _instance(resident, names, found, request, min_score), min_score)
        response.header = target.header
        response.inference_time = time.perf_counter() - start
        return response

    def _source(self, request: Request, resident: Resident, keep_going: KeepGoing) -> View | None:
        key = (request.class_name, request.demonstration_id)
        if has_image(request.source_image):
            picture = inline_picture(request.source_image, request.source_camera_info, request.source_depth)
            try:
                view = self._perception.view(resident, picture, Task(keep_going))
            except Refusal as refusal:
                raise Refusal(refusal.code, f"source picture: {refusal.message}") from refusal
            if request.demonstration_id:
                self._demonstrations[key] = Demonstration(view, resident.version)
                while len(self._demonstrations) > MAX_DEMONSTRATIONS:
                    self._demonstrations.popitem(last=False)
            return view
        if not request.demonstration_id:
            return None
        kept = self._demonstrations.get(key)
        if kept is None or kept.class_version != resident.version:
            known = ", ".join(sorted(id for name, id in self._demonstrations if name == request.class_name))
            raise Refusal(
                Code.DEMONSTRATION_UNKNOWN,
                f"no picture of class {request.class_name!r} is kept as {request.demonstration_id!r}; "
                f"kept: {known or 'none'}; send `source_image` with the id once",
            )
        self._demonstrations.move_to_end(key)
        return kept.view


def has_image(message: Image) -> bool:
    """An Image field that was filled in."""
    return message.width > 0 and message.height > 0


def inline_picture(image: Image, camera_info: CameraInfo, depth: Image) -> Picture:
    """Picture of the optional messages of a request."""
    return Picture(image, camera_info if camera_info.k[0] != 0 else None, depth if has_image(depth) else None)


def _check_inside(request: Request) -> None:
    width, height = request.source_image.width, request.source_image.height
    for i, point in enumerate(request.points):
        if not (-0.5 <= point.x < width - 0.5 and -0.5 <= point.y < height - 0.5):
            raise Refusal(
                Code.BAD_REQUEST,
                f"point {i} ({point.x:.1f}, {point.y:.1f}) is outside the {width}x{height} source image",
            )


def _keypoint_ids(resident: Resident, names: list[str]) -> torch.Tensor:
    model = resident.model
    known = [name for name, seen in zip(model.info.keypoint_names, model.seen.tolist(), strict=True) if seen]
    for name in names:
        if name not in known:
            raise Refusal(
                Code.BAD_REQUEST,
                f"class {model.info.name!r} has no keypoint {name!r}; it has: {', '.join(known)}",
            )
    ids = [model.info.keypoint_names.index(name) for name in names or known]
    return torch.tensor(ids, dtype=torch.long, device=model.sparse.device)


def _instance(
    resident: Resident, names: list[str], found: Correspondences, request: Request, min_score: float
) -> SemanticKeypoints:
    message = instance_message(resident.model, keypoint_messages(names, found, min_score), "")
    if request.points or request.keypoint_names:
        message.edges = []  # they index the keypoints of the class, not those of the request
    return message


def _response(resident: Resident, view: View, keypoints: SemanticKeypoints, min_score: float) -> Response:
    assert view.aligned is not None
    response = TransferKeypoints.Response(
        keypoints=keypoints, pose=pose_message(resident.model, view.aligned, "")
    )
    confidence = response.pose.confidence
    response.success = confidence >= min_score
    if not response.success:
        refusal = too_uncertain(confidence, min_score)
        response.error_code, response.message = int(refusal.code), refusal.message
    return response
