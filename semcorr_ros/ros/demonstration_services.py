"""~/store_demonstration, ~/list_demonstrations and ~/delete_demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from semcorr_ros.ros.demonstration_file import Record
from semcorr_ros.ros.quality_of_service import SERVICES
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.transfer import check_points, has_image, inline_picture
from semcorr_ros.ros.worker import KeepGoing
from semcorr_ros.srv import DeleteDemonstration, ListDemonstrations, StoreDemonstration

if TYPE_CHECKING:
    from semcorr_ros.ros.perceive import PerceiveNode


class DemonstrationServices:
    """Coroutines: they wait for the worker without holding the executor."""

    def __init__(self, node: PerceiveNode):
        self._node = node
        for kind, name, callback in (
            (StoreDemonstration, "store_demonstration", self._store),
            (ListDemonstrations, "list_demonstrations", self._list),
            (DeleteDemonstration, "delete_demonstration", self._delete),
        ):
            group = node.service_group
            node.create_service(kind, f"~/{name}", callback, qos_profile=SERVICES, callback_group=group)

    async def _store(self, request: Any, response: Any) -> Any:
        try:
            self._node.check_active()
            session = self._node.session
            session.bank.get(request.class_name)
            key = request.class_name, request.demonstration_id
            session.demonstrations.check_new(key, request.overwrite)
            record = self._record(request)

            def work(keep_going: KeepGoing) -> Any:
                min_score = self._node.min_score
                return session.transfer.teach(record, request.overwrite, min_score, keep_going)

            response.info, response.confidence = await self._node.in_worker(work, 0.0)
            response.success, response.message = True, f"stored {request.demonstration_id!r}"
            if not response.info.persistent:
                response.message += " in memory: the parameter demonstration_folder is empty"
            return response
        except Exception as error:
            return self._node.refuse(response, error)

    def _record(self, request: Any) -> Record:
        check_points(request.points, request.point_names)
        names = tuple(request.point_names) or tuple(f"point_{i}" for i in range(len(request.points)))
        if len(set(names)) < len(names):
            raise Refusal(Code.BAD_REQUEST, f"`point_names` must differ, got {', '.join(names)}")
        if has_image(request.image):
            picture = inline_picture(request.image, request.camera_info, request.depth)
        else:
            picture = self._node.latest(request.camera)
        points = torch.tensor([[point.x, point.y] for point in request.points]).reshape(-1, 2)
        return Record(request.demonstration_id, request.class_name, picture, points, names, request.roi)

    async def _list(self, request: Any, response: Any) -> Any:
        try:
            response.demonstrations = self._node.session.demonstrations.infos(request.class_name)
        except Refusal:
            response.demonstrations = []  # the folder is read by configure
        return response

    async def _delete(self, request: Any, response: Any) -> Any:
        try:
            key = request.class_name, request.demonstration_id
            self._node.session.demonstrations.delete(key)
            response.success, response.message = True, f"deleted {request.demonstration_id!r}"
            return response
        except Exception as error:
            return self._node.refuse(response, error)
