"""What a project knows: a category, its keypoints, pictures and what was marked in them. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from semcorr_ros.artifacts import CategoryInfo

Mark = tuple[float, float] | None  # pixel (x, y) of the upright image; None: hidden


@dataclass(frozen=True)
class Taken:
    """A picture of the project. Paths are relative to its folder; empty: there is none."""

    name: str  # file stem
    file: str
    size: tuple[int, int]  # (h, w)
    depth: str = ""
    camera: str = ""
    mask: str = ""
    marks: Mapping[str, Mark] = field(default_factory=dict)  # by keypoint; missing: not decided yet
    done: bool = False  # confirmed: it belongs to the class
    split: str = "trn"

    @property
    def seen(self) -> dict[str, tuple[float, float]]:
        """Return the keypoints that are marked as visible."""
        return {name: mark for name, mark in self.marks.items() if mark is not None}


@dataclass(frozen=True)
class State:
    """All of a project."""

    category: str
    keypoints: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()  # left and right of each other
    edges: tuple[tuple[str, str], ...] = ()  # skeleton, for drawing
    pictures: Mapping[str, Taken] = field(default_factory=dict)  # by name, in the order they were taken
    flat: bool = False
    symmetric: bool = False

    @property
    def done(self) -> list[Taken]:
        """List the pictures that belong to the class."""
        return [picture for picture in self.pictures.values() if picture.done]

    @property
    def flip(self) -> tuple[int, ...]:
        """Return the flip table that the pairs give."""
        partner = dict(self.pairs) | {b: a for a, b in self.pairs}
        return tuple(self.keypoints.index(partner.get(name, name)) for name in self.keypoints)

    @property
    def info(self) -> CategoryInfo:
        """Describe the category as a data set does."""
        return CategoryInfo(
            self.category,
            self.keypoints,
            self.flip if self.pairs else None,
            self.flat,
            self.symmetric,
            tuple((self.keypoints.index(a), self.keypoints.index(b)) for a, b in self.edges),
        )

    def picture(self, name: str) -> Taken:
        """Return a picture. Raises ValueError naming those there are."""
        if name not in self.pictures:
            raise ValueError(f"no picture {name!r}; there are: {', '.join(self.pictures) or 'none'}")
        return self.pictures[name]

    def knows(self, keypoint: str) -> str:
        """Return a keypoint's name. Raises ValueError naming those there are."""
        if keypoint not in self.keypoints:
            raise ValueError(f"no keypoint {keypoint!r}; there are: {', '.join(self.keypoints) or 'none'}")
        return keypoint

    def having(self, picture: Taken) -> State:
        """Return the state with a picture added or replaced."""
        return replace(self, pictures={**self.pictures, picture.name: picture})


def as_folder(state: State, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of keypoints.json (datasets/folder.py); confirmed pictures only.

    others: what such a file says of other categories, which is kept.
    """
    info = state.info
    entry: dict[str, Any] = {"keypoint_names": list(info.keypoint_names)}
    entry |= {"flip": list(info.flip)} if info.flip else {}
    entry |= {"edges": [list(edge) for edge in info.edges]} if info.edges else {}
    entry |= {key: True for key in ("flat", "symmetric") if getattr(state, key)}
    images = [_image(state, picture) for picture in state.done]
    content = {key: value for key, value in others.items() if key not in ("categories", "images")}
    return {
        "categories": {**others.get("categories", {}), state.category: entry},
        "images": [*others.get("images", []), *images],
        **content,
    }


def _image(state: State, picture: Taken) -> dict[str, Any]:
    marks = {name: picture.marks.get(name) for name in state.keypoints}
    shown = {name: None if mark is None else list(mark) for name, mark in marks.items()}
    entry: dict[str, Any] = {"file": picture.file, "category": state.category, "split": picture.split}
    entry |= {"mask": picture.mask} if picture.mask else {}
    entry |= {"depth": picture.depth} if picture.depth else {}
    return {**entry, "keypoints": shown}
