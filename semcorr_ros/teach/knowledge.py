"""What the latest build knows: the class, from where pictures show it, and which clicks are doubtful."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from semcorr_ros import methods
from semcorr_ros.methods import Model
from semcorr_ros.storage import read_json
from semcorr_ros.teach.building import Built
from semcorr_ros.teach.insight import representation_of
from semcorr_ros.teach.library import points_of
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.state import State, Taken
from semcorr_ros.teach.views import Clicked, Doubt, View, doubts, ring, view_of


@dataclass(frozen=True)
class Knowledge:
    """A class as it was built from a revision of the project."""

    model: Model
    built: Built
    views: dict[str, View] = field(default_factory=dict)  # by picture
    doubts: Sequence[Doubt] = ()

    def about(self, picture: str) -> dict[str, float] | None:
        """Tell from where a picture shows the class; None where nothing is known."""
        view = self.views.get(picture)
        if view is None:
            return None
        return {
            "azimuth": round(view.azimuth, 1),
            "elevation": round(view.elevation, 1),
            "misfit": round(view.misfit, 4),
        }

    def summary(self) -> dict[str, Any]:
        """Describe it for the page."""
        report = self.built.report
        return {
            "revision": self.built.revision,
            "images": report.get("images", 0),
            "warnings": report.get("warnings", []),
            "skipped": report.get("skipped", []),
            "seconds": round(self.built.seconds, 1),
            "bytes": report.get("class_file", {}).get("bytes", 0),
            "metric_scale": report.get("metric_scale", 0.0),
            "keypoints": report.get("keypoints", {}),
        }


def learned(built: Built, session: Session, device: str) -> Knowledge:
    """Read a class that was built, and look at the clicks it was built from. Raises as `methods.load`."""
    model = methods.load(built.path, device)
    knowledge = Knowledge(model, built)
    return with_views(knowledge, session, session.state)


def with_views(knowledge: Knowledge, session: Session, state: State) -> Knowledge:
    """Tell anew from where the pictures show the class, and what is doubtful about their clicks."""
    shape = representation_of(knowledge.model)
    if shape is None or shape.info.keypoint_names != state.keypoints:
        return Knowledge(knowledge.model, knowledge.built)
    views = {}
    for picture in state.done:
        view = view_of(clicked(session, state, picture), shape)
        if view is not None:
            views[picture.name] = view
    found = [*doubts(list(views.values()), state.keypoints), *_reported(knowledge.built.report, views, state)]
    return Knowledge(knowledge.model, knowledge.built, views, tuple(found))


def clicked(session: Session, state: State, picture: Taken) -> Clicked:
    """Describe the clicks of a picture for `view_of`. Raises ValueError or OSError for a damaged camera."""
    K = None
    if picture.camera:
        K = np.array(read_json(session.path(picture.camera))["K"], np.float64)
    return Clicked(picture.name, points_of(state, picture).double().numpy(), picture.size, K)


def ring_of(knowledge: Knowledge | None) -> list[dict[str, Any]]:
    """Count pictures by viewpoint; nothing before the first class."""
    return [] if knowledge is None else ring(list(knowledge.views.values()))


def doubts_json(knowledge: Knowledge | None) -> list[dict[str, Any]]:
    """List doubts, worst first."""
    return [] if knowledge is None else [asdict(doubt) for doubt in knowledge.doubts]


def _reported(report: dict[str, Any], views: dict[str, View], state: State) -> list[Doubt]:
    """Read what the build itself found, of pictures that are still there and not doubted already."""
    found = [
        Doubt(name, "", "swapped", f"the build took left and right of {name} for swapped")
        for name in report.get("swapped left/right?", [])
        if name in state.pictures and not (name in views and views[name].swapped)
    ]
    skipped = report.get("skipped", [])
    found += [
        Doubt(one["name"], "", "disagrees", f"{one['name']} was left out: {one['reason']}")
        for one in skipped
        if one["name"] in state.pictures
    ]
    return found
