"""The node's services. Coroutines: they wait for the worker without holding the executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from std_srvs.srv import Trigger

from semcorr_ros.ros.messages import class_message
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.quality_of_service import SERVICES
from semcorr_ros.ros.refusal import Refusal
from semcorr_ros.ros.transfer import has_image, inline_picture
from semcorr_ros.ros.worker import LOADS, KeepGoing
from semcorr_ros.srv import ListClasses, LoadClass, TransferKeypoints, UnloadClass

if TYPE_CHECKING:
    from semcorr_ros.ros.perceive import PerceiveNode


class Services:
    """Registers every service under the node's private name."""

    def __init__(self, node: PerceiveNode):
        self._node = node
        for kind, name, callback in (
            (TransferKeypoints, "transfer_keypoints", self._transfer_keypoints),
            (ListClasses, "list_classes", self._list_classes),
            (LoadClass, "load_class", self._load_class),
            (UnloadClass, "unload_class", self._unload_class),
            (Trigger, "reset", self._reset),
        ):
            group = node.service_group
            node.create_service(kind, f"~/{name}", callback, qos_profile=SERVICES, callback_group=group)

    async def _transfer_keypoints(self, request: Any, response: Any) -> Any:
        try:
            self._node.check_active()
            transfer = self._node.session.transfer
            transfer.check(request)
            target = self._target(request)
            response.header = target.header  # a refusal, too, is about a picture

            def work(keep_going: KeepGoing) -> Any:
                answer = transfer.answer(request, target, self._node.min_score, keep_going)
                return answer if has_image(request.target_image) else self._node.in_target_frame(answer)

            response = await self._node.in_worker(work, request.timeout)
            self._node.counters.add("requests answered")
            return response
        except Exception as error:
            return self._node.refuse(response, error)

    def _target(self, request: Any) -> Picture:
        if not has_image(request.target_image):
            return self._node.latest(request.camera)
        return inline_picture(request.target_image, request.target_camera_info, request.target_depth)

    async def _list_classes(self, request: Any, response: Any) -> Any:
        try:
            response.classes = [class_message(resident) for resident in self._node.session.bank.all()]
        except Refusal:
            response.classes = []  # nothing is loaded before configure
        return response

    async def _load_class(self, request: Any, response: Any) -> Any:
        try:
            bank = self._node.session.bank
            resident = await self._node.in_worker(
                lambda _: bank.load(request.path, request.active, confined=True), 0.0, LOADS
            )
            response.info = class_message(resident)
            response.success, response.message = True, f"loaded {resident.info.name!r}"
            return response
        except Exception as error:
            return self._node.refuse(response, error)

    async def _unload_class(self, request: Any, response: Any) -> Any:
        try:
            session = self._node.session
            session.bank.unload(request.class_name)
            self._node.forget()  # what follows an object of the class holds on to its tensors
            response.success, response.message = True, f"unloaded {request.class_name!r}"
            return response
        except Refusal as error:
            return self._node.refuse(response, error)

    async def _reset(self, request: Any, response: Any) -> Any:
        try:
            session = self._node.session
            session.demonstrations.forget()
            self._node.forget()
            goals = self._node.action.preempt("the node was reset")
            response.success = True
            response.message = f"aborted {goals} goals; forgot what was followed, and pictures kept in memory"
        except Refusal as error:
            response.success, response.message = False, error.message
        return response
