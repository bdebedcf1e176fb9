"""What is proposed for a picture: an outline, and all keypoints; by the class once there is one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image
from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.errors import NotFoundError
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.methods import Model
from semcorr_ros.observations import Scene
from semcorr_ros.places import ANYWHERE, Place, first_mask
from semcorr_ros.storage import atomic_path
from semcorr_ros.teach.library import Library, points_of
from semcorr_ros.teach.outlines import by_colour, by_depth
from semcorr_ros.teach.proposals import Known, Proposed, by_class, by_matches
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.state import Mark, Taken

MOST_LENDERS = 12  # annotated pictures that a new one is matched to: the latest ones
WIDER = 0.35  # margin around coarse matches, as a share of their extent
MASKS = "masks"  # folder of outlines


@dataclass(frozen=True)
class Proposal:
    """What is shown for a picture until the user has decided."""

    marks: Mapping[str, Mark]
    scores: Mapping[str, float]
    by: str  # "class", "matches" or "nothing"
    why: str  # a sentence
    mask: str = ""  # file of an outline
    confidence: float | None = None  # of the class

    def json(self) -> dict[str, Any]:
        """Convert to JSON."""
        marks = {
            name: None if mark is None else [round(v, 2) for v in mark] for name, mark in self.marks.items()
        }
        scores = {name: round(score, 3) for name, score in self.scores.items()}
        return {
            "marks": marks,
            "scores": scores,
            "by": self.by,
            "why": self.why,
            "mask": self.mask,
            "confidence": self.confidence,
        }


@dataclass(frozen=True)
class Proposer:
    """Proposes; used from the thread that computes only."""

    session: Session
    library: Library
    finder: Finder

    def propose(self, name: str, model: Model | None, watch: Watch) -> Proposal:
        """Propose outline and keypoints. Raises ValueError, FileNotFoundError, Refusal TIMEOUT."""
        state = self.session.state
        picture = state.picture(name)
        scene = self.library.scene(picture)
        mask = self.library.mask(picture) if picture.mask else by_depth(scene.frame)
        place = _place(mask, bool(picture.mask))
        answer = None if model is None else self.finder.find(model, scene, place, watch)
        known = () if model is None else model.known
        found, by, why = self._keypoints(picture, scene, mask, (answer, known))
        outline = "" if picture.mask else self._kept(picture, self._outline(picture, scene, mask, answer))
        rows = zip(
            state.keypoints, found.points.tolist(), found.score.tolist(), found.visible.tolist(), strict=True
        )
        height, width = picture.size
        marks: dict[str, Mark] = {}
        scores = {}
        for keypoint, (x, y), score, visible in rows:
            marks[keypoint] = None
            if visible and math.isfinite(x + y):
                marks[keypoint] = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
            scores[keypoint] = score
        told = answer.confidence if answer is not None and math.isfinite(answer.confidence) else None
        return Proposal(marks if by != "nothing" else {}, scores, by, why, outline, told)

    def _keypoints(
        self, picture: Taken, scene: Scene, mask: Tensor | None, told: tuple[Answer | None, Sequence[str]]
    ) -> tuple[Proposed, str, str]:
        state, (answer, known) = self.session.state, told
        names, lenders = state.keypoints, [one for one in state.done if one.name != picture.name]
        if not lenders or not names:
            nothing = torch.full((len(names), 2), torch.nan)
            empty = Proposed(nothing, torch.zeros(len(names)), torch.zeros(len(names), dtype=torch.bool))
            return empty, "nothing", "the first picture: click every keypoint once and name it"
        if answer is not None and answer.found:
            found = by_class(answer, names, known)
            unsure = found.score == 0
            if unsure.any():
                found = _filled(found, self._matched(picture, scene, mask, lenders), unsure)
            return found, "class", f"the class built so far, confidence {answer.confidence:.2f}"
        why = "features of the annotated pictures"
        if answer is not None and answer.refusal is not None:
            why += f"; the class was not sure: {answer.refusal.message}"
        return self._matched(picture, scene, mask, lenders), "matches", why

    def _matched(self, picture: Taken, scene: Scene, mask: Tensor | None, lenders: list[Taken]) -> Proposed:
        state, flip = self.session.state, self.session.state.info.flip
        points = {one.name: points_of(state, one) for one in lenders}
        used = lenders[-MOST_LENDERS:]
        target: FeatureMap
        if mask is not None and mask.any():
            target = scene.close_up(mask, self.library.extractor)
        else:
            coarse = [Known(self.library.scene(one).features, points[one.name]) for one in used]
            target = self._window(scene, by_matches(coarse, scene.features, None, flip))
        known = [Known(self.library.features(one), points[one.name]) for one in used]
        return by_matches(known, target, mask, flip)

    def _window(self, scene: Scene, coarse: Proposed) -> FeatureMap:
        """Encode the part of a picture that coarse matches lie in."""
        seen = coarse.points[coarse.points.isfinite().all(-1)]
        if len(seen) < 2:
            return scene.features
        around = torch.zeros(scene.size, dtype=torch.bool)
        low, high = seen.quantile(0.1, dim=0), seen.quantile(0.9, dim=0)
        margin = WIDER * float((high - low).max())
        (x1, y1), (x2, y2) = (low - margin).clamp_min(0).int().tolist(), (high + margin).int().tolist()
        around[y1 : y2 + 1, x1 : x2 + 1] = True
        return scene.close_up(around, self.library.extractor)

    def _outline(
        self, picture: Taken, scene: Scene, mask: Tensor | None, answer: Answer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Outline the object by depth, by the class, by a segmenter that was asked for, or by color."""
        if mask is None and answer is not None and answer.found and answer.placed is not None:
            mask = answer.placed.seen.mask
        if mask is None:
            mask = by_colour(scene.frame.image)
        providers = [one for one in self.finder.providers.masks if not one.recognises]
        if mask is None or not providers:
            return mask
        seen = replace(scene.seen(), mask=mask.to(scene.features.values.device))
        try:
            finer, _ = first_mask(providers, scene.sample, seen, None)
        except (NotFoundError, ValueError):
            return mask
        return mask if finer is None or not finer.any() else finer

    def _kept(self, picture: Taken, mask: Tensor | None) -> str:
        return (
            ""
            if mask is None or not mask.any() or mask.all()
            else keep_mask(self.session, picture.name, mask)
        )


def keep_mask(session: Session, name: str, mask: Bool[Tensor, "height width"]) -> str:
    """Write an outline into the project under a name of its own; return its path there."""
    pixels = (255 * mask.cpu().numpy()).astype(np.uint8)
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()[:10]
    file = f"{MASKS}/{name}-{digest}.png"
    if not session.path(file).is_file():
        with atomic_path(session.path(file)) as temporary:
            Image.fromarray(pixels).save(temporary)
    return file


def _place(mask: Bool[Tensor, "height width"] | None, confirmed: bool) -> Place:
    """Say where the object is: an outline that nobody has confirmed only tells around where."""
    if mask is None or not mask.any():
        return ANYWHERE
    return Place(mask=mask) if confirmed else Place(box=box_of(mask))


def _filled(found: Proposed, other: Proposed, rows: Tensor) -> Proposed:
    """Let matches say what is seen of keypoints that the class is not sure of, and where those are that it
    does not know yet."""
    return Proposed(
        torch.where(found.points.isfinite(), found.points, other.points),
        torch.where(rows, other.score, found.score),
        torch.where(rows, other.visible, found.visible),
    )
