"""The node's services: keypoints of a picture, the classes it holds, and demonstrations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from std_srvs.srv import Trigger

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.camera import Cameras
from semcorr_ros.ros.messages import class_message, demonstration_message
from semcorr_ros.ros.outputs import Outputs
from semcorr_ros.ros.poses import poses_from
from semcorr_ros.ros.requests import Requests, check_timeout, left
from semcorr_ros.ros.session import NodeState
from semcorr_ros.ros.transfer import (
    check_points,
    has_image,
    inline_picture,
    target_picture,
    wanted,
)
from semcorr_ros.sensing.reading import reading_of_requests
from semcorr_ros.serving.demonstration_file import Record
from semcorr_ros.serving.worker import LOADS, KeepGoing
from semcorr_ros.srv import (
    DeleteDemonstration,
    ListClasses,
    ListDemonstrations,
    LoadClass,
    StoreDemonstration,
    TransferKeypoints,
    UnloadClass,
)


class TransferService:
    """~/transfer_keypoints."""

    def __init__(self, requests: Requests, state: NodeState, cameras: Cameras, outputs: Outputs):
        self._requests, self._state, self._cameras, self._outputs = requests, state, cameras, outputs
        requests.serve(TransferKeypoints, "transfer_keypoints", self._transfer)

    async def _transfer(self, request: Any, response: Any) -> Any:
        response.header = self._cameras.header(request.camera)  # a refusal, too, is about a picture
        check_timeout(request.timeout)
        transfer = self._state.active_session().transfer
        transfer.check(request)
        begun = time.monotonic()
        target = await target_picture(self._cameras, request, transfer.reading)
        response.header = target.header

        def work(keep_going: KeepGoing) -> Any:
            answer = transfer.answer(self._state.finder, request, target, keep_going)
            return answer if has_image(request.target_image) else self._outputs.in_target_frame(answer)

        answer = await self._requests.run(work, left(request.timeout, begun))
        self._requests.answered()
        return answer


class ClassServices:
    """~/list_classes, ~/load_class, ~/unload_class and ~/reset."""

    def __init__(
        self,
        requests: Requests,
        state: NodeState,
        preempt: Callable[[str], int],
    ):
        """Create the services. preempt: aborts every goal with this reason, and counts them."""
        self._requests, self._state, self._preempt = requests, state, preempt
        requests.serve(ListClasses, "list_classes", self._list)
        requests.serve(LoadClass, "load_class", self._load)
        requests.serve(UnloadClass, "unload_class", self._unload)
        requests.serve(Trigger, "reset", self._reset)

    async def _list(self, request: Any, response: Any) -> Any:
        session = self._state.current  # nothing is loaded before configure
        response.classes = [class_message(resident) for resident in session.bank.all()] if session else []
        return response

    async def _load(self, request: Any, response: Any) -> Any:
        bank = self._state.session.bank
        resident = await self._requests.run(
            lambda _: bank.load(request.path, request.active, confined=True), lane=LOADS
        )
        response.info = class_message(resident)
        response.success, response.message = True, f"loaded {resident.info.name!r}"
        return response

    async def _unload(self, request: Any, response: Any) -> Any:
        session = self._state.session
        session.bank.unload(request.class_name)
        session.forget()  # followed objects of the class hold its tensors
        response.success, response.message = True, f"unloaded {request.class_name!r}"
        return response

    async def _reset(self, request: Any, response: Any) -> Any:
        session = self._state.session
        session.demonstrations.forget()
        session.forget()
        goals = self._preempt("the node was reset")
        response.success = True
        response.message = f"aborted {goals} goals; forgot what was followed, and pictures kept in memory"
        return response


class DemonstrationServices:
    """~/store_demonstration, ~/list_demonstrations and ~/delete_demonstration."""

    def __init__(self, requests: Requests, state: NodeState, cameras: Cameras, outputs: Outputs):
        self._requests, self._state, self._cameras, self._outputs = requests, state, cameras, outputs
        requests.serve(StoreDemonstration, "store_demonstration", self._store)
        requests.serve(ListDemonstrations, "list_demonstrations", self._list)
        requests.serve(DeleteDemonstration, "delete_demonstration", self._delete)

    async def _store(self, request: Any, response: Any) -> Any:
        response.header = self._cameras.header(request.camera)
        session = self._state.active_session()
        session.bank.get(request.class_name)
        key = request.class_name, request.demonstration_id
        session.demonstrations.check_new(key, request.overwrite)
        record = await self._record(request)
        response.header = record.picture.header

        def work(keep_going: KeepGoing) -> Any:
            return session.transfer.teach(self._state.finder, record, request.overwrite, keep_going)

        info, response.confidence = await self._requests.run(work)
        response.info = demonstration_message(info)
        response.success, response.message = True, f"stored {request.demonstration_id!r}"
        if not info.persistent:
            response.message += " in memory: the parameter demonstration_folder is empty"
        return response

    async def _record(self, request: Any) -> Record:
        check_points(request.points, request.point_names)
        names = tuple(request.point_names) or tuple(f"point_{i}" for i in range(len(request.points)))
        if len(set(names)) < len(names):
            raise Refusal(Code.BAD_REQUEST, f"`point_names` must differ, got {', '.join(names)}")
        if has_image(request.image):
            reading = reading_of_requests(self._state.settings)
            picture = inline_picture(request.image, request.camera_info, request.depth, reading)
        else:
            picture = await self._cameras.picture(request.camera, wanted(request), 0.0)
        points = torch.tensor([[point.x, point.y] for point in request.points]).reshape(-1, 2)
        poses, pose_names = poses_from(request, picture.header, self._outputs)
        return Record(
            request.demonstration_id,
            request.class_name,
            picture,
            points,
            names,
            request.roi,
            poses,
            pose_names,
        )

    async def _list(self, request: Any, response: Any) -> Any:
        session = self._state.current  # the folder is read by configure
        infos = session.demonstrations.infos(request.class_name) if session else []
        response.demonstrations = [demonstration_message(info) for info in infos]
        return response

    async def _delete(self, request: Any, response: Any) -> Any:
        self._state.session.demonstrations.delete((request.class_name, request.demonstration_id))
        response.success, response.message = True, f"deleted {request.demonstration_id!r}"
        return response
