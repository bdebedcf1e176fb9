"""State of a node: its settings, and while it is configured the session built from them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any, TypeVar

import torch

from semcorr_ros.answer import Answer
from semcorr_ros.backbones import beware
from semcorr_ros.devices import choose_device
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.methods import DEFAULT, METHODS, Quality, method_of
from semcorr_ros.places import Place
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.declaration import parameter
from semcorr_ros.ros.parameters import Parameters, providers_from
from semcorr_ros.ros.transfer import Aim, Transfer
from semcorr_ros.sensing.assembly import stamp_of
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import reading_of_requests
from semcorr_ros.serving.cautions import cautious
from semcorr_ros.serving.class_bank import MEGABYTE, ClassBank
from semcorr_ros.serving.demonstrations import Demonstrations
from semcorr_ros.serving.worker import LOADS, Job, KeepGoing, Worker
from semcorr_ros.stream import Shot, Stream

# Only CUDA's caching allocator has an exception of its own: the others are recognised by their message.
FULL = ("can't allocate memory", "not enough memory", "out of memory", "_ALLOC_FAILED")
Result = TypeVar("Result")


class NodeState:
    """State that transitions and parameter changes write, and services read."""

    def __init__(self, settings: Parameters, label: Callable[[], str], check_prepared: Callable[[], None]):
        """Store the settings. label: name of the lifecycle state. check_prepared: raises Refusal PREPARING
        while configure waits."""
        self.settings, self.label, self._check_prepared = settings, label, check_prepared
        self.current: Session | None = None  # from configure to cleanup
        self.active = False  # cameras are subscribed to

    @property
    def session(self) -> Session:
        """What configure loaded. Raises Refusal INACTIVE, PREPARING before that."""
        if self.current is None:
            self._check_prepared()
            raise Refusal(Code.INACTIVE, "the node is not configured (ros2 lifecycle set NODE configure)")
        return self.current

    def active_session(self) -> Session:
        """Return the session of an active node. Raises Refusal INACTIVE, PREPARING."""
        self.check_active()
        return self.session

    def check_active(self) -> None:
        """Raises Refusal INACTIVE, PREPARING."""
        if not self.active:
            self._check_prepared()
            state = f"the node is {self.label()}, not active"
            raise Refusal(Code.INACTIVE, f"{state} (ros2 lifecycle set NODE activate)")

    @property
    def finder(self) -> Finder:
        """The session's finder, with the current min_score. Raises Refusal INACTIVE before configure."""
        return replace(self.session.finder, min_score=self.settings.min_score)


class Session:
    """Backbone, classes, the inference thread that uses them, and one that reads more classes meanwhile."""

    def __init__(
        self,
        settings: Parameters,
        on_frame: Callable[[Any, KeepGoing], None],
        warn: Callable[[str], object],
        on_failure: Callable[[BaseException], object],
    ):
        """Load backbone and classes, in seconds. Raises ValueError, OSError, ImportError, Refusal.

        on_frame: called with the latest frame of a camera. on_failure: called with errors on the inference
        thread that no request waits for.
        """
        try:
            self.device = choose_device(settings, parameter)
            self.finder = Finder(providers_from(settings, self.device), settings.min_score, settings.seed)
            for method in {method_of(path) for path in settings.classes} or {DEFAULT}:
                METHODS.load(method).check(Quality(settings.quality))  # a mistake in it should show at start
            self.bank = _filled_bank(settings, self.device, self.finder.backbone)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            sentence = f"backbone and classes do not fit the device {settings.device!r}: {_first_line(error)}"
            raise Refusal(Code.OUT_OF_MEMORY, sentence) from None
        self.demonstrations = Demonstrations(settings.demonstration_folder, settings.max_demonstrations, warn)
        self._depth, self._first = settings.depth, (settings.cameras or ("",))[0]
        self._streams: dict[str, Stream] = {}  # by camera
        reading = reading_of_requests(settings)
        self.transfer = Transfer(self.bank, self.demonstrations, self.find, self.seek, reading)
        self.worker = Worker(on_frame, settings.queue_size, on_failure, on_end=release_memory)
        self._loader = Worker(lambda *_: None, settings.queue_size, on_failure, on_end=release_memory)

    def find(self, finder: Finder, name: str, picture: Picture, place: Place, watch: Watch) -> Answer:
        """Place a class in a picture. Raises Refusal CLASS_UNKNOWN, BAD_ENCODING, NOT_FOUND, TIMEOUT, ..."""
        resident = self.bank.hold(name)
        answer = finder.find(resident.model, picture.scene(finder.scene), place, watch)
        if answer.placed is None and answer.refusal is not None:
            raise answer.refusal
        self.bank.learn(resident, [answer], picture.depth is not None)
        return cautious(answer, picture.caution, self._depth)

    def seek(self, finder: Finder, name: str, picture: Picture, aim: Aim, watch: Watch) -> list[Answer]:
        """Find the objects that a request is about, the surest first, by the names of those followed.

        Raises Refusal as `find`, BAD_REQUEST, and NOT_FOUND for an `instance_id` that is not followed.
        """
        if aim.instance_id and aim.roi is not None and aim.roi.width:
            raise Refusal(Code.BAD_REQUEST, "give a `target_roi` or an `instance_id`, not both")
        stream = Stream() if aim.camera is None else self.stream(aim.camera or self._first)
        place = stream.where(aim.instance_id) if aim.instance_id else picture.place(aim.roi)
        if aim.most > 1 and not place.given:
            answers = self._several(finder, name, picture, aim.most, watch)
        else:
            answers = [self.find(finder, name, picture, place, watch)]
        if aim.instance_id:
            return [replace(answers[0], instance_id=aim.instance_id)]
        return [stream.named(answer, stamp_of(picture)) for answer in answers]

    def _several(self, finder: Finder, name: str, picture: Picture, most: int, watch: Watch) -> list[Answer]:
        resident = self.bank.hold(name)
        shot = Shot(picture.scene(finder.scene), stamp_of(picture), None, most)
        found, refused = Stream().look(finder, resident.model, shot, watch)
        self.bank.learn(resident, [*found, *refused], picture.depth is not None)
        chosen = sorted(found, key=lambda answer: -answer.confidence) or refused[:1]
        if not chosen:
            raise Refusal(Code.NOT_FOUND, f"no object of class {name!r} was found")
        if chosen[0].placed is None and chosen[0].refusal is not None:
            raise chosen[0].refusal
        told = [cautious(answer, picture.caution, self._depth) for answer in chosen]
        return [replace(answer, instance_id="") for answer in told]

    def look(
        self, finder: Finder, name: str, moment: Any, shot: Shot, watch: Watch
    ) -> tuple[list[Answer], list[Answer]]:
        """Find every object of a class in a `camera.Moment`; return the answers and those that are refused.

        Raises Refusal.
        """
        resident, picture = self.bank.hold(name), moment.picture
        answers, refused = self.stream(moment.camera).look(finder, resident.model, shot, watch)
        self.bank.learn(resident, [*answers, *refused], picture.depth is not None)
        return [cautious(answer, picture.caution, self._depth) for answer in answers], refused

    def stream(self, camera: str) -> Stream:
        """Return the stream of a camera, with the objects followed in it."""
        return self._streams.setdefault(camera, Stream(camera))

    def forget(self) -> None:
        """Forget the objects followed in all streams."""
        for stream in list(self._streams.values()):
            stream.forget()

    def announce(self, log: Any) -> None:
        """Log what is loaded, and from then on what the classes learn."""
        self.bank.say = log.info
        if caution := beware(self.finder.backbone):
            log.warning(caution)
        names = ", ".join(resident.info.name for resident in self.bank.all()) or "none"
        log.info(f"ready on {self.device} ({self.finder.backbone}), classes: {names}")

    def submit(self, job: Job) -> None:
        """Queue a job on the thread of its lane. Raises Refusal BUSY, SHUTDOWN."""
        (self._loader if job.lane == LOADS else self.worker).submit(job)

    def expire(self) -> None:
        """Answer requests whose deadline passed."""
        for each in (self.worker, self._loader):
            each.expire()

    def flush(self, refusal: Refusal) -> None:
        """Answer all waiting and running jobs with `refusal`, and drop the frames."""
        for each in (self.worker, self._loader):
            each.flush(refusal)

    def close(self) -> list[Thread]:
        """Stop the threads without waiting for them; return those that still run.

        Such a thread ends after its current step, and only then is its memory free.
        """
        workers = (self._loader, self.worker)
        return [worker.thread for worker in workers if not worker.close(0.0)]

    def spare(self, work: Callable[[], Result]) -> Result:
        """Run `work`; if out of memory, evict everything idle and retry once. For both threads.

        Raises Refusal OUT_OF_MEMORY.
        """
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler, the tensors of the failed attempt are no longer referenced.
        self.bank.evict_idle()
        self.demonstrations.forget()
        for stream in list(self._streams.values()):
            stream.release()
        release_memory()
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise Refusal(
                Code.OUT_OF_MEMORY,
                f"the device is full, although every idle class was evicted: {_first_line(error)}",
            ) from None


def _filled_bank(settings: Parameters, device: str, backbone: str) -> ClassBank:
    budget = int(settings.memory_budget_mb * MEGABYTE)
    bank = ClassBank(device, backbone, budget, settings.class_folder, Quality(settings.quality))
    for path in settings.classes:
        bank.load(path)
    bank.activate(set(settings.active_classes))
    return bank


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether GPU or machine ran out of memory, in any of the libraries."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in FULL)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def release_memory() -> None:
    """Free unreferenced memory, on the GPU as well."""
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
