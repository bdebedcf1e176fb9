"""What a user can do to a project: one frozen dataclass each, which says what becomes of the state.

`read` takes them from JSON, `write` gives it: {"do": "place", "picture": "0001", "keypoint": "rim", ...}.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from semcorr_ros.config import from_dict
from semcorr_ros.teach.state import Mark, State, Taken

LONGEST = 64  # characters of a keypoint's name
MOST_KEYPOINTS = 64
MOST_PICTURES = 500
PLAIN = re.compile(r"[^\x00-\x1f/\\]+")


class Action(Protocol):
    """A change of the state."""

    def apply(self, state: State) -> State:
        """Return the state after it. Raises ValueError where it is not possible."""
        ...


@dataclass(frozen=True)
class AddPicture:
    """A picture that is in the folder already. Paths are relative to it."""

    name: str
    file: str
    size: tuple[int, ...]
    depth: str = ""
    camera: str = ""
    mask: str = ""

    def apply(self, state: State) -> State:
        if self.name in state.pictures:
            raise ValueError(f"there is a picture {self.name!r} already")
        if len(state.pictures) >= MOST_PICTURES:
            raise ValueError(f"{MOST_PICTURES} pictures are enough for a class; remove some")
        height, width = self.size
        size = (height, width)
        return state.having(Taken(self.name, self.file, size, self.depth, self.camera, self.mask))


@dataclass(frozen=True)
class RemovePicture:
    """Take a picture out of the project; its file stays."""

    picture: str

    def apply(self, state: State) -> State:
        state.picture(self.picture)
        kept = {name: one for name, one in state.pictures.items() if name != self.picture}
        return replace(state, pictures=kept)


@dataclass(frozen=True)
class AddKeypoint:
    """One more keypoint, and where a picture is named, its place there."""

    name: str
    picture: str = ""
    x: float = 0.0
    y: float = 0.0

    def apply(self, state: State) -> State:
        _checked_name(state, self.name)
        if len(state.keypoints) >= MOST_KEYPOINTS:
            raise ValueError(f"a class has at most {MOST_KEYPOINTS} keypoints here")
        state = replace(state, keypoints=(*state.keypoints, self.name))
        return Place(self.picture, self.name, self.x, self.y).apply(state) if self.picture else state


@dataclass(frozen=True)
class RenameKeypoint:
    """Another name, everywhere."""

    old: str
    new: str

    def apply(self, state: State) -> State:
        state.knows(self.old)
        _checked_name(state, self.new)
        return _renamed(state, lambda name: self.new if name == self.old else name)


@dataclass(frozen=True)
class RemoveKeypoint:
    """Forget a keypoint, in all pictures."""

    name: str

    def apply(self, state: State) -> State:
        state.knows(self.name)
        pictures = {
            key: replace(one, marks={k: v for k, v in one.marks.items() if k != self.name})
            for key, one in state.pictures.items()
        }
        return replace(
            state,
            keypoints=tuple(name for name in state.keypoints if name != self.name),
            pairs=tuple(pair for pair in state.pairs if self.name not in pair),
            edges=tuple(edge for edge in state.edges if self.name not in edge),
            pictures=pictures,
        )


@dataclass(frozen=True)
class Place:
    """Mark a keypoint as visible at a pixel."""

    picture: str
    keypoint: str
    x: float
    y: float

    def apply(self, state: State) -> State:
        return _marked(state, self.picture, {self.keypoint: (self.x, self.y)})


@dataclass(frozen=True)
class Hide:
    """Mark a keypoint as hidden."""

    picture: str
    keypoint: str

    def apply(self, state: State) -> State:
        return _marked(state, self.picture, {self.keypoint: None})


@dataclass(frozen=True)
class Accept:
    """Confirm a picture. marks, mask: what was proposed and shown; what the user has marked himself stays."""

    picture: str
    marks: Mapping[str, Any] = field(default_factory=dict)
    mask: str = ""

    def apply(self, state: State) -> State:
        picture = state.picture(self.picture)
        shown = {name: None if mark is None else _pixel(mark) for name, mark in self.marks.items()}
        state = _marked(state, self.picture, shown | dict(picture.marks))
        open_ = [name for name in state.keypoints if name not in state.picture(self.picture).marks]
        if open_:
            raise ValueError(f"place or hide {', '.join(open_)} first")
        if not state.picture(self.picture).seen:
            raise ValueError(f"no keypoint is visible in {self.picture!r}: remove the picture instead")
        picture = state.picture(self.picture)
        return state.having(replace(picture, done=True, mask=picture.mask or self.mask))


@dataclass(frozen=True)
class Reopen:
    """Take a picture out of the class to work on it again."""

    picture: str

    def apply(self, state: State) -> State:
        return state.having(replace(state.picture(self.picture), done=False))


@dataclass(frozen=True)
class SwapSides:
    """Exchange left and right in one picture."""

    picture: str

    def apply(self, state: State) -> State:
        if not state.pairs:
            raise ValueError("no keypoints are left and right of each other; set pairs first")
        partner = dict(state.pairs) | {b: a for a, b in state.pairs}
        picture = state.picture(self.picture)
        marks = {partner.get(name, name): mark for name, mark in picture.marks.items()}
        return state.having(replace(picture, marks=marks))


@dataclass(frozen=True)
class SetPairs:
    """Which keypoints are left and right of each other."""

    pairs: tuple[tuple[str, str], ...]

    def apply(self, state: State) -> State:
        pairs = tuple(_two(pair, state) for pair in self.pairs)
        names = [name for pair in pairs for name in pair]
        if len(set(names)) != len(names):
            raise ValueError(f"a keypoint has one partner at most, got {pairs}")
        return replace(state, pairs=pairs)


@dataclass(frozen=True)
class SetEdges:
    """The skeleton."""

    edges: tuple[tuple[str, str], ...]

    def apply(self, state: State) -> State:
        return replace(state, edges=tuple(_two(edge, state) for edge in self.edges))


@dataclass(frozen=True)
class Outline:
    """The object's mask in a picture, a file in the folder; empty: none."""

    picture: str
    mask: str

    def apply(self, state: State) -> State:
        return state.having(replace(state.picture(self.picture), mask=self.mask))


@dataclass(frozen=True)
class Adopt:
    """Take a category over as another program wrote it; pictures that it does not name stay as they are."""

    keypoints: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    flat: bool = False
    symmetric: bool = False
    pictures: tuple[Any, ...] = ()

    def apply(self, state: State) -> State:
        wanted = {one["name"]: _taken(one, self.keypoints) for one in self.pictures}
        others = {
            name: replace(one, marks={k: v for k, v in one.marks.items() if k in self.keypoints})
            for name, one in state.pictures.items()
            if not one.done
        }
        return State(
            state.category,
            self.keypoints,
            tuple((a, b) for a, b in self.pairs),
            tuple((a, b) for a, b in self.edges),
            {**others, **wanted},
            self.flat,
            self.symmetric,
        )


KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        AddPicture, RemovePicture, AddKeypoint, RenameKeypoint, RemoveKeypoint, Place, Hide, Accept, Reopen,
        SwapSides, SetPairs, SetEdges, Outline, Adopt,
    )
}  # fmt: skip


def read(content: Any) -> Action:
    """Read an action from JSON. Raises ValueError naming the field that is wrong and what is allowed."""
    if not isinstance(content, dict) or content.get("do") not in KINDS:
        raise ValueError(f"'do' must be one of {', '.join(KINDS)}, got {str(content)[:200]}")
    kind, rest = content["do"], {key: value for key, value in content.items() if key != "do"}
    missing = [
        one.name
        for one in dataclasses.fields(KINDS[kind])
        if one.default is one.default_factory is dataclasses.MISSING and one.name not in rest
    ]
    if missing:
        raise ValueError(f"{kind}: {', '.join(missing)} must be given")
    action: Action = from_dict(KINDS[kind], rest, kind)
    return action


def write(action: Action) -> dict[str, Any]:
    """Convert an action to JSON."""
    return {"do": type(action).__name__, **dataclasses.asdict(action)}  # type: ignore[call-overload]


def _taken(one: Mapping[str, Any], keypoints: tuple[str, ...]) -> Taken:
    height, width = one["size"]
    marks: dict[str, Mark] = dict.fromkeys(keypoints)
    marks |= {name: None if mark is None else _pixel(mark) for name, mark in one["marks"].items()}
    rest = {key: str(one[key]) for key in ("name", "file", "depth", "camera", "mask", "split")}
    return Taken(size=(int(height), int(width)), marks=marks, done=True, **rest)


def _marked(state: State, name: str, marks: Mapping[str, Mark]) -> State:
    picture = state.picture(name)
    height, width = picture.size
    for keypoint, mark in marks.items():
        state.knows(keypoint)
        if mark is None:
            continue
        x, y = mark
        if not (math.isfinite(x + y) and -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise ValueError(f"{keypoint} at ({x:g}, {y:g}) is outside the {width}x{height} picture {name!r}")
    return state.having(replace(picture, marks={**picture.marks, **marks}))


def _pixel(mark: Any) -> tuple[float, float]:
    if not isinstance(mark, (list, tuple)) or [type(value) in (int, float) for value in mark] != [True, True]:
        raise ValueError(f"a mark is [x, y] or null, got {mark!r}")
    return float(mark[0]), float(mark[1])


def _two(pair: Any, state: State) -> tuple[str, str]:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f"expected two different keypoints, got {pair!r}")
    return state.knows(pair[0]), state.knows(pair[1])


def _checked_name(state: State, name: str) -> None:
    if not PLAIN.fullmatch(name) or name != name.strip() or len(name) > LONGEST:
        raise ValueError(f"a keypoint's name is 1 to {LONGEST} characters without slashes, got {name[:80]!r}")
    if name in state.keypoints:
        raise ValueError(f"there is a keypoint {name!r} already")


def _renamed(state: State, name: Callable[[str], str]) -> State:
    pictures = {
        key: replace(one, marks={name(k): mark for k, mark in one.marks.items()})
        for key, one in state.pictures.items()
    }
    return replace(
        state,
        keypoints=tuple(map(name, state.keypoints)),
        pairs=tuple((name(a), name(b)) for a, b in state.pairs),
        edges=tuple((name(a), name(b)) for a, b in state.edges),
        pictures=pictures,
    )
