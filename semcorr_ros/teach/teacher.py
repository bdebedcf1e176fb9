"""A project with all that thinks about it: proposals, builds, a camera, live answers. What the page shows."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.answer import Answer
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.places import ANYWHERE, Place, check_inside
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.serving.worker import GOALS, REQUESTS, Job, KeepGoing, Worker
from semcorr_ros.teach import knowledge as known
from semcorr_ros.teach.actions import Outline, write
from semcorr_ros.teach.building import Builder, Built
from semcorr_ros.teach.insight import answer_json, class_json, direction_of, representation_of
from semcorr_ros.teach.knowledge import Knowledge
from semcorr_ros.teach.library import Library
from semcorr_ros.teach.node_link import Marked, NodeLink
from semcorr_ros.teach.novelty import Novelty
from semcorr_ros.teach.outlines import Click, corrected
from semcorr_ros.teach.pictures import Shot
from semcorr_ros.teach.proposing import Proposal, Proposer, keep_mask
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.sides import proposed_pairs
from semcorr_ros.teach.sources import Source
from semcorr_ros.teach.state import State, Taken, as_folder

LOG = logging.getLogger(__name__)
FEWEST = 4  # confirmed pictures that a class is built from (methods/semalign3d/building)
WAITING = 64  # requests to the thread that computes
PATIENCE = 300.0  # seconds that a request may take
LOOKED = 3.0  # seconds after which nobody looks at the live answer any more
REMEMBERED = 20  # answers that can be looked at again
WATCHING = 0.2  # seconds between looks at the camera for automatic capture

Words = Callable[[State, Path, Path], Sequence[str]]  # project, class file, progress file -> a process


@dataclass(frozen=True)
class Seen:
    """An answer and the picture it is about."""

    number: int
    shot: Shot
    told: dict[str, Any]


class Teacher:
    """Safe to use from several threads."""

    def __init__(
        self,
        session: Session,
        finder: Finder,
        words: Words,
        source: Source | None = None,
        node: NodeLink | None = None,
        device: str = "cpu",
    ) -> None:
        """Start threads; whatever the project lacks is built. words: make the process that builds."""
        self.session, self.finder, self.source, self.node = session, finder, source, node
        self.device = device
        self.library = Library(session, finder.providers.features)
        self.proposer = Proposer(session, self.library, finder)
        self.knowledge: Knowledge | None = None
        self.automatic = False
        self.notice = ""  # the last thing that went wrong by itself, a sentence
        self.seen: deque[Seen] = deque(maxlen=REMEMBERED)
        self._novelty, self._numbers = Novelty(), 0
        self._proposals: dict[str, tuple[Any, Proposal]] = {}
        self._looked = 0.0
        self._closing = threading.Event()
        self._worker = Worker(self._look, WAITING, lambda error: LOG.warning("%s", error))
        self.builder = Builder(
            session.work / "build", lambda file, told: words(session.state, file, told), self._learn
        )
        self._digest = ""
        session.changed = self._changed
        self._changed()
        self._watcher = threading.Thread(target=self._watch, name="automatic capture", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stop everything; the project stays as it is on disk."""
        self._closing.set()
        self.builder.close()
        self._worker.close(10.0)
        if self.source is not None:
            self.source.close()
        if self.node is not None:
            self.node.close()
        self.session.close()

    def state(self) -> dict[str, Any]:
        """Tell everything the page shows."""
        state, knowledge = self.session.state, self.knowledge
        undo, redo = self.session.ahead
        return {
            "revision": self.session.revision,
            "category": state.category,
            "keypoints": list(state.keypoints),
            "pairs": [list(pair) for pair in state.pairs],
            "edges": [list(edge) for edge in state.edges],
            "proposed_pairs": [] if state.pairs else self._pairs(state),
            "pictures": [self._picture(picture) for picture in state.pictures.values()],
            "undo": None if undo is None else write(undo)["do"],
            "redo": None if redo is None else write(redo)["do"],
            "build": self.builder.status(),
            "fewest": FEWEST,
            "class": None if knowledge is None else knowledge.summary(),
            "ring": known.ring_of(knowledge),
            "doubts": known.doubts_json(knowledge),
            "source": self._source(),
            "automatic": self.automatic,
            "node": None if self.node is None else self.node.status(),
            "notice": self.notice,
        }

    def proposal(self, name: str) -> Future[dict[str, Any]]:
        """Propose keypoints and outline of a picture. The future raises ValueError, Refusal."""
        return self.ask(lambda going: self._propose(name, going).json())

    def outline(self, name: str, clicks: Sequence[Click]) -> Future[dict[str, Any]]:
        """Correct the outline of a picture by clicks, or propose one without; keep it."""

        def work(going: KeepGoing) -> dict[str, Any]:
            picture = self.session.state.picture(name)
            check_inside([(click.x, click.y) for click in clicks], picture.size, "click")
            scene = self.library.scene(picture)
            before = self.library.mask(picture)
            mask = corrected(scene.frame.image, before, clicks)
            if not mask.any() or mask.all():
                raise ValueError("the outline is empty or everything: click on the object, and beside it")
            file = keep_mask(self.session, name, mask)
            self.session.do(Outline(name, file))
            return {"mask": file}

        return self.ask(work)

    def capture(self) -> str:
        """Take the picture that the camera shows; return its name. Raises Refusal, ValueError, OSError."""
        shot = self._camera().latest()
        name = self.session.add(shot)
        self._novelty.take(shot.frame.image)
        return name

    def step(self, by: int) -> None:
        """Turn to another picture of a folder or bag. Raises Refusal where there is no source."""
        self._camera().step(by)

    def shown(self) -> Shot:
        """Return what the camera shows. Raises Refusal."""
        return self._camera().latest()

    def look(self) -> dict[str, Any]:
        """Return the latest live answer, and go on looking as long as somebody asks. Raises Refusal."""
        self._looked = time.monotonic()
        self._class()
        self._offer()
        latest = self.seen[-1] if self.seen else None
        return {} if latest is None else {"number": latest.number, **latest.told}

    def again(self, number: int) -> Seen:
        """Return an answer that was given before. Raises ValueError."""
        for seen in self.seen:
            if seen.number == number:
                return seen
        raise ValueError(f"answer {number} is not kept any more")

    def explain(self, name: str) -> Future[dict[str, Any]]:
        """Align the class to a picture of the project, and tell all about it."""

        def work(going: KeepGoing) -> dict[str, Any]:
            picture = self.session.state.picture(name)
            scene = self.library.scene(picture)
            answer = self.finder.find(self._class().model, scene, ANYWHERE, Watch(going))
            return answer_json(answer, self.finder.least_score)

        return self.ask(work)

    def transfer(
        self, name: str, points: Sequence[tuple[float, float]], target: str = ""
    ) -> Future[dict[str, Any]]:
        """Carry pixels of a picture over to what the camera shows, or to another picture."""

        def work(going: KeepGoing) -> dict[str, Any]:
            model, watch = self._class().model, Watch(going)
            picture = self.session.state.picture(name)
            check_inside(points, picture.size)
            source = self.finder.find(model, self.library.scene(picture), self._place(picture), watch)
            if target:
                other = self.session.state.picture(target)
                found = self.finder.find(model, self.library.scene(other), self._place(other), watch)
                shot = None
            else:
                shot = self.shown()
                found = self.finder.find(model, self.finder.scene(shot.frame), ANYWHERE, watch)
            names = [f"point_{i + 1}" for i in range(len(points))]
            with torch.no_grad():
                answer = self.finder.transfer(source, torch.tensor(points), names, found)
            told = answer_json(answer, self.finder.least_score)
            return told if shot is None else {"number": self._remember(shot, told).number, **told}

        return self.ask(work)

    def by_node(self, marked: Marked) -> dict[str, Any]:
        """Have the node carry pixels over to what its camera shows. Raises Refusal."""
        told, shot = self.link().transfer(self.session.state.category, marked)
        if told["found"] and shot is None:
            raise Refusal(
                Code.SYNC_MISS, "the picture that the node answered about was lost on its way here: ask again"
            )
        return told if shot is None else {"number": self._remember(shot, told).number, **told}

    def link(self) -> NodeLink:
        """Return the running node. Raises Refusal where there is none."""
        if self.node is None:
            raise Refusal(Code.INACTIVE, "there is no node: start with --ros where ROS 2 is sourced")
        return self.node

    def class_json(self) -> dict[str, Any]:
        """Describe the class in 3D. Raises Refusal CLASS_UNKNOWN, ValueError for a method without a shape."""
        shape = representation_of(self._class().model)
        if shape is None:
            raise ValueError("a class of this method has no shape to show")
        return class_json(shape)

    def class_file(self) -> Path:
        """Return the file of the latest class. Raises Refusal CLASS_UNKNOWN."""
        return self._class().built.path

    def ask(self, work: Callable[[KeepGoing], Any], lane: str = REQUESTS) -> Future[Any]:
        """Run something on the thread that computes."""
        future: Future[Any] = Future()

        def done(outcome: Any) -> None:
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        try:
            self._worker.submit(Job(work, done, time.monotonic() + PATIENCE, lane))
        except Refusal as refusal:
            future.set_exception(refusal)
        return future

    def _propose(self, name: str, going: KeepGoing) -> Proposal:
        state, knowledge = self.session.state, self.knowledge
        picture = state.picture(name)
        revision = -1 if knowledge is None else knowledge.built.revision
        key = (picture.file, picture.mask, revision, [one.name for one in state.done], state.keypoints)
        kept = self._proposals.get(name)
        if kept is None or kept[0] != key:
            usable = knowledge is not None and len(state.done) >= FEWEST
            model = knowledge.model if knowledge is not None and usable else None
            kept = key, self.proposer.propose(name, model, Watch(going))
            self._proposals[name] = kept
        return kept[1]

    def _place(self, picture: Taken) -> Place:
        mask = self.library.mask(picture) if picture.mask else None
        return ANYWHERE if mask is None else Place(mask=mask)

    def _changed(self) -> None:
        """Build where the confirmed pictures have changed, and think ahead about the next one."""
        state = self.session.state
        digest = content_of(state)
        if digest == self._digest:
            return
        self._digest = digest
        if len(state.done) >= FEWEST:
            self.builder.want(self.session.revision, digest)
        else:
            self.builder.forget()
        if self.knowledge is not None:
            self.knowledge = known.with_views(self.knowledge, self.session, state)
        self._ahead()

    def rebuild(self) -> None:
        """Build once more, though nothing has changed. Raises ValueError with too few pictures."""
        done = len(self.session.state.done)
        if done < FEWEST:
            raise ValueError(f"a class is built from {FEWEST} confirmed pictures on, there are {done}")
        self.builder.want(self.session.revision, f"{self._digest} {time.time()}")

    def _ahead(self) -> None:
        """Compute the next picture's proposal before it is asked for."""
        state = self.session.state
        waiting = [picture.name for picture in state.pictures.values() if not picture.done]
        if waiting and state.done:
            self.ask(lambda going: self._propose(waiting[0], going), GOALS)

    def _learn(self, built: Built) -> None:
        self.knowledge = known.learned(built, self.session, self.device)
        self._ahead()

    def _class(self) -> Knowledge:
        if self.knowledge is None:
            done = len(self.session.state.done)
            why = f"it is built from {FEWEST} confirmed pictures on, there are {done}"
            if done >= FEWEST:
                why = self.builder.status()["error"] or "it is being built"
            raise Refusal(Code.CLASS_UNKNOWN, f"there is no class yet: {why}")
        return self.knowledge

    def _camera(self) -> Source:
        if self.source is None:
            raise Refusal(
                Code.NO_IMAGE,
                "there is no camera: start with --images, --bag or --camera, or drop pictures here",
            )
        return self.source

    def _offer(self) -> None:
        shot = self._camera().latest()
        if not self.seen or self.seen[-1].shot is not shot:
            self._worker.offer(shot)

    def _look(self, shot: Shot, going: KeepGoing) -> None:
        """Find the class in a live picture, on the thread that computes."""
        if self.knowledge is None:
            return
        start = time.perf_counter()
        answer = self.finder.find(self.knowledge.model, self.finder.scene(shot.frame), ANYWHERE, Watch(going))
        told = answer_json(answer, self.finder.least_score) | self._direction(answer)
        told["seconds"] = round(time.perf_counter() - start, 2)
        self._remember(shot, told)

    def _direction(self, answer: Answer) -> dict[str, Any]:
        found = direction_of(answer) if answer.found else None
        return {} if found is None else {"azimuth": round(found[0], 1), "elevation": round(found[1], 1)}

    def _remember(self, shot: Shot, told: dict[str, Any]) -> Seen:
        self._numbers += 1
        seen = Seen(self._numbers, shot, told)
        self.seen.append(seen)
        return seen

    def _watch(self) -> None:
        """Take pictures by themselves while that is wanted."""
        while not self._closing.wait(WATCHING):
            if not self.automatic or self.source is None or not self.source.live:
                continue
            try:
                if self._novelty.worth(self.source.latest().frame.image):
                    self.capture()
            except (Refusal, ValueError, OSError) as error:
                self.notice, self.automatic = str(error), False

    def _picture(self, picture: Taken) -> dict[str, Any]:
        return {
            "name": picture.name,
            "size": list(picture.size),
            "marks": {name: None if mark is None else list(mark) for name, mark in picture.marks.items()},
            "done": picture.done,
            "mask": picture.mask,
            "depth": bool(picture.depth),
            "view": None if self.knowledge is None else self.knowledge.about(picture.name),
        }

    def _pairs(self, state: State) -> list[list[str]]:
        marked = [picture.seen for picture in state.pictures.values()]
        return [list(pair) for pair in proposed_pairs(state.keypoints, marked)]

    def _source(self) -> dict[str, Any] | None:
        if self.source is None:
            return None
        at, of = self.source.position()
        return {"title": self.source.title, "live": self.source.live, "at": at, "of": of}


def content_of(state: State) -> str:
    """Digest what a class is built from."""
    text = json.dumps(as_folder(state, {}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
