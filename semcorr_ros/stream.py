"""Objects in the pictures of one camera, each with a number that stays with it.

A node and a bag replay give the same pictures to a `Stream` and get the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from semcorr_ros.answer import Answer
from semcorr_ros.finder import UNWATCHED, Finder, Watch
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.geometry.taken import Looked, to_taken
from semcorr_ros.identities import FORGET, Identities, Sighting, duplicates
from semcorr_ros.methods import Model, Placed
from semcorr_ros.observations import Scene
from semcorr_ros.places import Place, where_it_was
from semcorr_ros.refusal import Code, Refusal

MAX_FOLLOWED = 64  # objects followed at once; beyond that the oldest is dropped


@dataclass(frozen=True)
class Region:
    """Where a detector says that there is an object."""

    class_name: str  # empty: of any class
    tracker_id: str  # the detector's own number; empty: none
    place: Place


@dataclass(frozen=True)
class Shot:
    """One picture of a stream."""

    scene: Scene
    stamp: float  # seconds
    regions: Sequence[Region] | None = None  # None: there is no detector
    most: int = 1  # objects per class where no detector says more


class Stream:
    """Objects followed in one camera's pictures. For one thread; another one may call `forget`."""

    def __init__(self, camera: str = "") -> None:
        self._camera = camera
        self._identities = Identities()
        self._followed: dict[str, Placed] = {}
        self._shown: dict[str, dict[str, Place]] = {}  # by class, where each object of the latest picture was
        self._stamp = -math.inf  # of the latest picture

    def forget(self) -> None:
        """Forget all objects: whatever comes next gets a new number."""
        self._identities, self._followed, self._shown = Identities(), {}, {}

    def where(self, instance_id: str) -> Place:
        """Return where a followed object was last. Raises Refusal NOT_FOUND naming those there are."""
        shown = {name: place for places in list(self._shown.values()) for name, place in places.items()}
        if instance_id not in shown:
            known = ", ".join(shown) or "none (see the parameter active_classes)"
            raise Refusal(Code.NOT_FOUND, f"no object {instance_id!r} is followed; followed: {known}")
        return shown[instance_id]

    def named(self, answer: Answer, stamp: float) -> Answer:
        """Give an object that was found outside of the stream the number of the followed one that it is, if
        it is one."""
        if not answer.found or answer.instance_id or abs(stamp - self._stamp) > FORGET:
            return answer
        (number,) = self._identities.match(answer.info.name, [sighting(answer)], self._stamp)
        return answer if number is None else replace(answer, instance_id=self._name(answer.info.name, number))

    def release(self) -> None:
        """Drop placements and their tensors: objects are searched anew but keep their numbers."""
        self._followed = {}

    def look(
        self, finder: Finder, model: Model, shot: Shot, watch: Watch = UNWATCHED
    ) -> tuple[list[Answer], list[Answer]]:
        """Find every object of a class; return answers with persistent numbers, and those that are refused.

        Raises Refusal for a picture that cannot be looked at at all, TIMEOUT where `watch` gives up.
        """
        marked = self._marked(finder, model, shot, watch)
        answers, sightings, refused = [], [], []
        for key, region in zip(self._keys(model.info.name, shot, marked), marked, strict=True):
            answer = self._follow(finder, model, shot.scene, (key, region.place), watch)
            if answer.refusal is not None:
                refused.append(answer)
                continue
            answers.append(answer)
            sightings.append(replace(sighting(answer), tracker_id=region.tracker_id))
        twice = duplicates(sightings, [answer.confidence for answer in answers])
        kept = [i for i in range(len(answers)) if i not in twice]
        self._stamp = shot.stamp
        numbers = self._identities.assign(model.info.name, [sightings[i] for i in kept], shot.stamp)
        told = [
            replace(answers[i], instance_id=self._name(model.info.name, number))
            for i, number in zip(kept, numbers, strict=True)
        ]
        self._remember(model.info.name, told)
        return told, refused

    def _name(self, class_name: str, number: int) -> str:
        prefix = f"{self._camera}_{class_name}" if self._camera else class_name
        return f"{prefix}_{number}"

    def _remember(self, class_name: str, answers: Sequence[Answer]) -> None:
        """Remember where the objects of a class are, in place of those of the picture before."""
        placed = [(answer.instance_id, answer.placed) for answer in answers if answer.placed is not None]
        places = {name: where_it_was(one.seen) for name, one in placed}
        self._shown[class_name] = {name: place for name, place in places.items() if place is not None}

    def _marked(self, finder: Finder, model: Model, shot: Shot, watch: Watch) -> list[Region]:
        if shot.regions is None:
            places = finder.candidates(model, shot.scene, shot.most, watch)
            return [Region("", "", place) for place in places]
        return [region for region in shot.regions if region.class_name in ("", model.info.name)]

    def _keys(self, name: str, shot: Shot, marked: Sequence[Region]) -> list[str]:
        """Return the key each object is followed under, from its region alone."""
        if len(marked) == 1 and shot.regions is None:
            return [name]
        frame = shot.scene.frame
        sightings = [replace(_place_of(one.place, frame), tracker_id=one.tracker_id) for one in marked]
        numbers = self._identities.match(name, sightings, shot.stamp)
        return [f"{name}/{i if number is None else number}" for i, number in enumerate(numbers)]

    def _follow(
        self, finder: Finder, model: Model, scene: Scene, at: tuple[str, Place], watch: Watch
    ) -> Answer:
        key, place = at
        # Removed until it is placed again: after any failure the object counts as lost.
        last = self._followed.pop(key, None)
        answer = finder.follow(model, scene, last, place, watch)
        if answer.placed is not None:
            self._followed[key] = answer.placed
        while len(self._followed) > MAX_FOLLOWED:
            self._followed.pop(next(iter(self._followed)))
        return answer


def sighting(answer: Answer) -> Sighting:
    """Measure where an answer's object is and how large, to tell it from others."""
    pixels = answer.pixels[torch.isfinite(answer.pixels).all(-1)].cpu().double()
    center, extent = (math.nan, math.nan), math.nan
    if len(pixels) > 1:
        low, high = pixels.amin(0), pixels.amax(0)
        (x, y), extent = ((low + high) / 2).tolist(), float((high - low).max())
        center = (x, y)
    elif answer.placed is not None and answer.placed.seen.mask is not None:  # of unknown direction
        outline = _place_of(Place(mask=answer.placed.seen.mask), answer.placed.seen)
        center, extent = outline.pixel, outline.extent_px
    pose = answer.pose
    if pose is None or not pose.metric:
        return Sighting(center, extent)
    x, y, z = pose.translation.tolist()
    return Sighting(center, extent, (x, y, z), float(pose.size.norm()))


def _place_of(place: Place, seen: Looked) -> Sighting:
    """Return the sighting of a place alone, before the class is placed in it; pixels as they were taken."""
    if place.mask is not None:
        x, y, w, h = box_of(place.mask)
    elif place.box is not None:
        x, y, w, h = place.box
    else:
        return Sighting(pixel=(0.0, 0.0), extent_px=0.0)
    across, down = to_taken(torch.tensor([x + w / 2, y + h / 2]), seen).tolist()
    return Sighting(pixel=(across, down), extent_px=float(max(w, h)))
