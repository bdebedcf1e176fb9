"""`Finder`: a picture comes in, a placed object with keypoints goes out. The page to read second.

Node, bag replay, command line and benchmark are thin around it; it knows no ROS and no method by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros import answer as answers
from semcorr_ros import backbones
from semcorr_ros.answer import Answer, surer
from semcorr_ros.artifacts import Correspondences, FeatureMap, Frame, Observation
from semcorr_ros.errors import BackboneMismatchError, NotFoundError
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry.taken import from_taken, points_taken, pose_taken
from semcorr_ros.judgement import judged, low_score, min_score_for, size_doubt, unmeasured
from semcorr_ros.live_providers import LiveProviders
from semcorr_ros.methods import Model, Placed, Search
from semcorr_ros.observations import Scene, look, look_for, scene_of_frame
from semcorr_ros.places import ANYWHERE, Place, candidates, where_it_was
from semcorr_ros.proposals import propose
from semcorr_ros.refusal import Code, Refusal

# Progress at which a stage begins: shares of the time on a CPU.
STAGES = {"queued": 0.0, "features": 0.0, "initialize": 0.3, "optimize": 0.4, "select": 0.95}
ALIGNED = 2  # of the places that are proposed for one object
Report = Callable[[str, float, float], None]  # stage, progress in [0, 1], lowest energy (NaN: none yet)


def _always() -> bool:
    return True


def _silent(stage: str, progress: float, energy: float) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Watch:
    """Callbacks by which a caller follows and stops a search."""

    keep_going: Callable[[], bool] = _always  # polled between optimizer steps; False: give up
    report: Report = _silent


UNWATCHED = Watch()


@dataclass(frozen=True)
class Finder:
    """Networks and judgement that all classes share."""

    providers: LiveProviders
    min_score: float | None = None  # confidence below which an object is refused; None: the backbone's own
    seed: int = 0  # every search starts from it: same image, same answer

    @property
    def backbone(self) -> str:
        """Identity of the features; equal strings mean comparable features."""
        return self.providers.features.backbone

    @property
    def least_score(self) -> float:
        """Confidence below which an object is refused."""
        return min_score_for(self.backbone, self.min_score)

    def scene(self, frame: Frame) -> Scene:
        """Encode a picture, once for all classes that are looked for in it."""
        return scene_of_frame(frame, self.providers.features, self.providers.depth)

    def find(self, model: Model, scene: Scene, place: Place = ANYWHERE, watch: Watch = UNWATCHED) -> Answer:
        """Place a class in a scene. Raises Refusal BACKBONE_MISMATCH, and TIMEOUT where `watch` gives up.

        An object that is too small for attention to the whole picture is looked for among what stands on
        planes, where there is depth; of the places most alike the one with the highest confidence is told.
        """
        return self._search(model, model.place, scene, (place, None), watch)

    def follow(
        self,
        model: Model,
        scene: Scene,
        last: Placed | None,
        place: Place = ANYWHERE,
        watch: Watch = UNWATCHED,
    ) -> Answer:
        """Place a class like `find`, starting from its placement in the previous picture of a stream."""

        if last is not None and last.seen.rotate != scene.frame.rotate:
            last = None  # its pose is that of a picture turned otherwise

        def follow(seen: Observation, search: Search) -> Placed:
            return model.follow(seen, last, search)

        return self._search(model, follow, scene, (place, last), watch)

    def candidates(self, model: Model, scene: Scene, most: int, watch: Watch = UNWATCHED) -> list[Place]:
        """Find where up to `most` objects of a class may be.

        Raises Refusal NOT_FOUND, and TIMEOUT where `watch` gives up.
        """
        if most <= 1:
            return [ANYWHERE]
        try:
            return candidates(scene.seen(), model, most)
        except NotFoundError as error:
            found = propose(scene, model, _Watched(self.providers.features, watch), most)
            if not found:
                raise Refusal(Code.NOT_FOUND, str(error)) from error
            return found

    def transfer(
        self, source: Answer, points: Float[Tensor, "point 2"], names: Sequence[str], target: Answer
    ) -> Answer:
        """Carry pixels of the source's original image over to the target.

        A source that is refused refuses the answer; so does a target.
        """
        if source.refusal is not None or source.placed is None:
            reason = source.refusal or Refusal(Code.NOT_FOUND, "the class was not placed in it")
            told = Refusal(reason.code, f"source picture: {reason.message}")
            return answers.refused(target.info, told, names)
        if target.placed is None:
            reason = target.refusal or Refusal(Code.NOT_FOUND, "the class was not placed in the target")
            return answers.refused(target.info, reason, names)
        points = points.to(source.placed.seen.features.values)
        ideal = from_taken(points, source.placed.seen)
        found = source.placed.carry(ideal, target.placed)
        return replace(
            target, names=tuple(names), points=self._told(found, target.placed, target.refusal), edges=()
        )

    def describe(self, model: Model, placed: Placed) -> Answer:
        """Judge a placement and name every keypoint of the class, also never annotated ones."""
        doubt = size_doubt(placed.seen, placed.pose, model.diameter)
        refusal = low_score(placed.confidence, self.least_score, doubt)
        ids = torch.arange(len(model.info.keypoint_names))
        found = placed.keypoints(ids) if len(ids) else answers.nowhere(0)
        pose = placed.pose
        return Answer(
            info=model.info,
            names=model.info.keypoint_names,
            points=self._told(found, placed, refusal),
            confidence=placed.confidence,
            pose=None if pose is None else pose_taken(pose, placed.seen),
            refusal=refusal,
            note=("" if pose is None else unmeasured(placed.seen, pose)) or doubt or placed.caveat,
            edges=model.info.edges,
            placed=placed,
        )

    def _search(
        self,
        model: Model,
        put: Callable[[Observation, Search], Placed],
        scene: Scene,
        where: tuple[Place, Placed | None],
        watch: Watch,
    ) -> Answer:
        """Place a class; where it may be anywhere and is not found, in the places that seem best."""
        place, last = where
        answer = self._answer(model, put, scene, place, watch)
        if answer.found or place.given or not model.recognizes:
            return answer
        before = where_it_was(last.seen) if last is not None else None
        if before is not None:
            answer = surer(answer, self._answer(model, put, scene, before, watch))
            if answer.found:
                return answer
        for other in propose(scene, model, _Watched(self.providers.features, watch), ALIGNED):
            answer = surer(answer, self._answer(model, put, scene, other, watch))
        return answer

    def _answer(
        self,
        model: Model,
        put: Callable[[Observation, Search], Placed],
        scene: Scene,
        place: Place,
        watch: Watch,
    ) -> Answer:
        watch.report("features", STAGES["features"], math.nan)
        try:
            backbones.check(model, scene.features.backbone)
            seen = self._look(model, scene, place)
            _check(watch)
            watch.report("initialize", STAGES["initialize"], math.nan)
            generator = torch.Generator().manual_seed(self.seed)
            placed = put(seen, Search(generator, _on_step(watch)))
        except NotFoundError as error:
            return answers.refused(model.info, Refusal(Code.NOT_FOUND, str(error)))
        except BackboneMismatchError as error:
            raise Refusal(Code.BACKBONE_MISMATCH, str(error)) from error
        _check(watch)
        return self.describe(model, placed)

    def _look(self, model: Model, scene: Scene, place: Place) -> Observation:
        extractor, masks = self.providers.features, self.providers.masks
        if model.recognizes:
            return look_for(scene, extractor, masks, model, place)
        return look(scene, extractor, (), None, place)

    def _told(self, found: Correspondences, placed: Placed, refusal: Refusal | None) -> Correspondences:
        """Judge points and convert them to pixels and frame of the original image."""
        found = points_taken(found, placed.seen)
        if not placed.judges:
            return found
        return judged(found, self.least_score, refusal is not None)


def _on_step(watch: Watch) -> Callable[[int, int, float], bool]:
    begin, end = STAGES["optimize"], STAGES["select"]

    def on_step(done: int, steps: int, energy: float) -> bool:
        _check(watch)  # returning False would still rank what has been found so far
        if done >= steps:
            watch.report("select", end, energy)
        else:
            watch.report("optimize", begin + (end - begin) * done / steps, energy)
        return True

    return on_step


class _Watched(FeatureExtractor):
    """Encodes as long as a caller wants to go on: a network may take seconds for a picture."""

    def __init__(self, extractor: FeatureExtractor, watch: Watch) -> None:
        self.backbone, self.from_pixels = extractor.backbone, extractor.from_pixels
        self._extractor, self._watch = extractor, watch

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises Refusal TIMEOUT."""
        _check(self._watch)
        return self._extractor.encode(ref)


def _check(watch: Watch) -> None:
    if not watch.keep_going():
        raise Refusal(Code.TIMEOUT, "the alignment was stopped before it was done")
