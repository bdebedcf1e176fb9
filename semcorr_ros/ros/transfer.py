"""The TransferKeypoints request: check it, place the class in source and target, fill in the response."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from sensor_msgs.msg import CameraInfo, Image

from semcorr_ros import places
from semcorr_ros.answer import Answer
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.geometry.taken import size_taken
from semcorr_ros.judgement import low_score
from semcorr_ros.places import Place
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.bridge import color_from_message
from semcorr_ros.ros.messages import error_of, instance_message, pose_message
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading
from semcorr_ros.serving.class_bank import ClassBank
from semcorr_ros.serving.demonstration_file import Record
from semcorr_ros.serving.demonstrations import Demonstrations, Taught, named
from semcorr_ros.serving.resident import Resident
from semcorr_ros.serving.worker import KeepGoing
from semcorr_ros.srv import TransferKeypoints

Find = Callable[[Finder, str, Picture, Place, Watch], Answer]  # Session.find
MAX_POINTS = 4096  # of a request: bounds what is allocated for it

if TYPE_CHECKING:
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Request as Request
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Response as Response


class Transfer:
    """Serves requests one at a time, in the inference thread."""

    def __init__(self, bank: ClassBank, demonstrations: Demonstrations, find: Find, reading: Reading):
        """Store the parts. find: places a class in a picture. reading: of pictures in requests."""
        self._bank, self._demonstrations, self._find, self._reading = bank, demonstrations, find, reading

    def check(self, request: Request) -> None:
        """Check a request as far as possible without computing. Raises Refusal."""
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

    def answer(self, finder: Finder, request: Request, target: Picture, keep_going: KeepGoing) -> Response:
        """Fill in the response. Raises Refusal."""
        start = time.perf_counter()
        watch, name = Watch(keep_going), request.class_name
        resident = self._bank.hold(name)
        source = self._source(finder, request, resident, watch)
        found = self._find(finder, name, target, target.place(request.target_roi), watch)
        names = list(request.keypoint_names)
        if source is None:
            answer = found.only(names or resident.known)
            answer = replace(answer, edges=()) if names else answer
        else:
            points, names = (source.points, list(source.names)) if request.points else named(source, names)
            answer = finder.transfer(source.answer, points, names, found)
        response = TransferKeypoints.Response(header=target.header, success=answer.found)
        response.keypoints, response.pose = instance_message(answer), pose_message(answer)
        response.error_code, response.message = error_of(answer)
        response.inference_time = time.perf_counter() - start
        return response

    def teach(self, finder: Finder, record: Record, overwrite: bool, keep_going: KeepGoing) -> Any:
        """Place the class in a picture and store it: (info, confidence). Raises Refusal."""
        resident = self._bank.hold(record.class_name)
        frame = record.picture.frame()
        check_inside(record.points.tolist(), size_taken(frame))
        self._demonstrations.check_new((record.class_name, record.id), overwrite)
        answer = self._place(finder, record, Watch(keep_going))
        if answer.refusal is not None:
            raise answer.refusal
        taught = Taught(answer, record.points, record.names, resident.version)
        return self._demonstrations.store(record, taught), answer.confidence

    def _source(self, finder: Finder, request: Request, resident: Resident, watch: Watch) -> Taught | None:
        """Place the source picture; None where keypoints of the class are asked for.

        Raises Refusal LOW_SCORE: points of a badly placed source would land anywhere.
        """
        if _of_class(request) and not has_image(request.source_image):
            return None
        taught = self._taught(finder, request, resident, watch)
        # Judged anew: min_score may have changed since it was placed.
        refusal = low_score(taught.answer.confidence, finder.least_score)
        if refusal is not None:
            raise Refusal(refusal.code, f"source picture: {refusal.message}")
        if _of_class(request):
            return None
        return replace(taught, answer=replace(taught.answer, refusal=None))

    def _taught(self, finder: Finder, request: Request, resident: Resident, watch: Watch) -> Taught:
        """Place the source; the request's own points override the stored ones."""
        key = (request.class_name, request.demonstration_id)
        points = torch.tensor([[p.x, p.y] for p in request.points]).reshape(-1, 2)
        names = tuple(request.keypoint_names) or tuple(f"point_{i}" for i in range(len(points)))
        if has_image(request.source_image):
            picture = inline_picture(
                request.source_image, request.source_camera_info, request.source_depth, self._reading
            )
            record = Record(key[1], key[0], picture, points, names)
            taught = Taught(self._place(finder, record, watch), points, names, resident.version)
            if key[1]:
                self._demonstrations.keep(key, taught)
            return taught
        taught = self._demonstrations.find(key, resident, lambda record: self._place(finder, record, watch))
        if not len(points):
            return taught
        assert taught.answer.placed is not None
        check_inside(points.tolist(), size_taken(taught.answer.placed.seen))
        return replace(taught, points=points, names=names)

    def _place(self, finder: Finder, record: Record, watch: Watch) -> Answer:
        try:
            place = record.picture.place(record.roi)
            return self._find(finder, record.class_name, record.picture, place, watch)
        except Refusal as refusal:
            raise Refusal(refusal.code, f"source picture: {refusal.message}") from refusal


def _of_class(request: Request) -> bool:
    """Tell whether the request asks for keypoints of the class, not for points of a picture."""
    return not request.points and (has_image(request.source_image) or not request.demonstration_id)


def has_image(message: Image) -> bool:
    """Tell whether an Image field was filled in."""
    return message.width > 0 and message.height > 0


def inline_picture(image: Image, camera_info: CameraInfo, depth: Image, reading: Reading) -> Picture:
    """Make a picture from the optional messages of a request."""
    calibration = camera_info if camera_info.k[0] != 0 else None
    given = depth if has_image(depth) else None
    return Picture(image, calibration, given, color_from_message, reading)


def check_points(points: Sequence[Any], names: Sequence[str]) -> None:
    """Raises Refusal BAD_REQUEST for too many points, or names that are not one per point."""
    if len(points) > MAX_POINTS:
        raise Refusal(Code.BAD_REQUEST, f"{len(points)} `points`; at most {MAX_POINTS} at a time")
    if len(names) not in (0, len(points)):
        raise Refusal(Code.BAD_REQUEST, f"{len(names)} names for {len(points)} `points`")


def check_inside(points: Sequence[Any], size: tuple[int, int]) -> None:
    """Raises Refusal BAD_REQUEST for a point (message or pair) that is not in an image of size (h, w)."""
    pairs = [point if isinstance(point, (list, tuple)) else (point.x, point.y) for point in points]
    try:
        places.check_inside(pairs, size)
    except ValueError as error:
        raise Refusal(Code.BAD_REQUEST, str(error)) from error


def _check_names(resident: Resident, names: Sequence[str]) -> None:
    for name in names:
        if name not in resident.known:
            raise Refusal(
                Code.BAD_REQUEST,
                f"class {resident.info.name!r} has no keypoint {name!r}; it has: {', '.join(resident.known)}",
            )
