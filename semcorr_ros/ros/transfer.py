"""TransferKeypoints and TransferPose: check a request, place the class in source and target, fill in the
response."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from sensor_msgs.msg import CameraInfo, Image

from semcorr_ros import places, pose_transfer
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
from semcorr_ros.serving.demonstrations import (
    Demonstrations,
    Taught,
    named,
    poses_named,
    taught_from,
)
from semcorr_ros.serving.recent_pictures import Wanted
from semcorr_ros.serving.resident import Resident
from semcorr_ros.serving.worker import KeepGoing
from semcorr_ros.srv import TransferKeypoints

Find = Callable[[Finder, str, Picture, Place, Watch], Answer]  # Session.find
Seek = Callable[[Finder, str, Picture, "Aim", Watch], list[Answer]]  # Session.seek
MAX_POINTS = 4096  # of a request: bounds what is allocated for it

if TYPE_CHECKING:
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Request as Request
    from semcorr_ros.srv._transfer_keypoints import TransferKeypoints_Response as Response


@dataclass(frozen=True)
class Aim:
    """Which objects of a picture a request is about."""

    camera: str | None  # by whose stream objects are called; None: the picture is the caller's own
    roi: Any = None  # a RegionOfInterest; None or width 0: anywhere
    instance_id: str = ""  # of a followed one; empty: any
    most: int = 1


class Transfer:
    """Serves requests one at a time, in the inference thread."""

    def __init__(
        self, bank: ClassBank, demonstrations: Demonstrations, find: Find, seek: Seek, reading: Reading
    ):
        """Store the parts. find: places a class of the bank in a picture; seek: in what a request is about.
        Both raise Refusal. reading: of pictures in requests."""
        self._bank, self._demonstrations = bank, demonstrations
        self._find, self._seek, self.reading = find, seek, reading

    def check(self, request: Request) -> None:
        """Check a request as far as possible without computing. Raises Refusal."""
        resident = self._bank.get(request.class_name)
        shown = has_image(request.source_image)
        if request.points and not shown and not request.demonstration_id:
            raise Refusal(Code.BAD_REQUEST, "`points` need a `source_image` or a `demonstration_id`")
        if request.point_names and not request.points:
            raise Refusal(Code.BAD_REQUEST, "`point_names` are names of `points`, and there are none")
        if shown and not request.points and not request.demonstration_id:
            raise Refusal(
                Code.BAD_REQUEST, "`source_image` needs `points` or a `demonstration_id` to keep it"
            )
        check_points(
            request.points, request.point_names or (request.keypoint_names if request.points else [])
        )
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
        watch = Watch(keep_going)
        resident = self._bank.hold(request.class_name)
        source = self._source(finder, request, resident, watch)
        aim = aim_of(request, request.max_instances)
        found = self._seek(finder, request.class_name, target, aim, watch)
        answers = [_carried(finder, request, resident, source, each) for each in found]
        response = TransferKeypoints.Response(header=target.header, success=answers[0].found)
        response.instances = [instance_message(answer) for answer in answers]
        response.poses = [pose_message(answer) for answer in answers]
        response.keypoints, response.pose = response.instances[0], response.poses[0]
        response.error_code, response.message = error_of(answers[0])
        response.inference_time = time.perf_counter() - start
        return response

    def poses(self, finder: Finder, request: Any, target: Picture, keep_going: KeepGoing) -> Any:
        """Carry the poses of a demonstration over to the target: (poses, answer of the target). Raises
        Refusal."""
        watch, resident = Watch(keep_going), self._bank.hold(request.class_name)
        key = request.class_name, request.demonstration_id
        taught = self._demonstrations.find(key, resident, lambda record: self._place(finder, record, watch))
        poses, names = poses_named(taught, list(request.pose_names))
        source = _judged(finder, taught)
        (found,) = self._seek(finder, request.class_name, target, aim_of(request), watch)
        return pose_transfer.carry(source.answer, poses, names, found), found

    def teach(self, finder: Finder, record: Record, overwrite: bool, keep_going: KeepGoing) -> Any:
        """Place the class in a picture and store it: (info, confidence). Raises Refusal."""
        resident = self._bank.hold(record.class_name)
        frame = record.picture.frame()
        check_inside(record.points.tolist(), size_taken(frame))
        self._demonstrations.check_new((record.class_name, record.id), overwrite)
        answer = self._place(finder, record, Watch(keep_going))
        if answer.refusal is not None:
            raise answer.refusal
        if len(record.poses) and (answer.pose is None or not answer.pose.metric):
            raise Refusal(Code.NO_DEPTH, "`poses` are in metres, and no depth was measured on the object")
        taught = taught_from(record, answer, resident.version)
        return self._demonstrations.store(record, taught), answer.confidence

    def _source(self, finder: Finder, request: Request, resident: Resident, watch: Watch) -> Taught | None:
        """Place the source picture; None where keypoints of the class are asked for.

        Raises Refusal LOW_SCORE: points of a badly placed source would land anywhere.
        """
        if _of_class(request) and not has_image(request.source_image):
            return None
        taught = self._taught(finder, request, resident, watch)
        taught = _judged(finder, taught)
        return None if _of_class(request) else taught

    def _taught(self, finder: Finder, request: Request, resident: Resident, watch: Watch) -> Taught:
        """Place the source; the request's own points override the stored ones."""
        key = (request.class_name, request.demonstration_id)
        points = torch.tensor([[p.x, p.y] for p in request.points]).reshape(-1, 2)
        names = tuple(request.point_names or request.keypoint_names)
        names = names or tuple(f"point_{i}" for i in range(len(points)))
        if has_image(request.source_image):
            picture = inline_picture(
                request.source_image, request.source_camera_info, request.source_depth, self.reading
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


def _judged(finder: Finder, taught: Taught) -> Taught:
    """Judge a source anew: min_score may have changed since it was placed. Raises Refusal LOW_SCORE."""
    refusal = low_score(taught.answer.confidence, finder.least_score)
    if refusal is not None:
        raise Refusal(refusal.code, f"source picture: {refusal.message}")
    return replace(taught, answer=replace(taught.answer, refusal=None))


def _carried(
    finder: Finder, request: Request, resident: Resident, source: Taught | None, found: Answer
) -> Answer:
    """Tell the points that a request asks for, of one object."""
    names = list(request.keypoint_names)
    if source is None:
        answer = found.only(names or resident.known)
        return replace(answer, edges=()) if names else answer
    if request.points and not (request.point_names and names):
        points, names = source.points, list(source.names)
    else:
        points, names = named(source, names)
    return finder.transfer(source.answer, points, names, found)


async def target_picture(cameras: Any, request: Any, reading: Reading) -> Picture:
    """Return the picture that a request is about: its own, or one of a camera. Raises Refusal.

    reading: of pictures in requests.
    """
    if not has_image(request.target_image):
        return await cameras.picture(request.camera, wanted(request), request.timeout)
    return inline_picture(request.target_image, request.target_camera_info, request.target_depth, reading)


def wanted(request: Any) -> Wanted:
    """Read from a request which picture of a camera it means. Raises Refusal BAD_REQUEST."""
    stamp = (int(request.stamp.sec), int(request.stamp.nanosec))
    if request.not_before and stamp == (0, 0):
        raise Refusal(Code.BAD_REQUEST, "`not_before` needs a `stamp`")
    return Wanted(stamp, bool(request.not_before))


def aim_of(request: Any, most: int = 1) -> Aim:
    """Read from a request which objects of the target picture it is about."""
    camera = None if has_image(request.target_image) else request.camera
    return Aim(camera, request.target_roi, request.instance_id, max(1, int(most)))


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
