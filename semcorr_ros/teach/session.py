"""A project on disk: the `folder` data set of one category, and the journal of everything done to it.

    <root>/keypoints.json, images/, masks/, depth/, cameras/     as docs/datasets.md says: confirmed pictures
    <root>/teach/journal.jsonl                                    every action, unconfirmed ones too
    <root>/teach/...                                              what can be computed again

An action is checked, written, and only then part of `state`; the data set follows it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from semcorr_ros.datasets import folder
from semcorr_ros.storage import read_json, write_json
from semcorr_ros.teach import actions
from semcorr_ros.teach.actions import Action, Adopt
from semcorr_ros.teach.journal import Journal
from semcorr_ros.teach.pictures import Shot, keep
from semcorr_ros.teach.state import State, as_folder

WORK = "teach"  # sub-folder of what belongs to the page


class Session:
    """A project that is open in this process. Safe to use from several threads."""

    def __init__(self, root: Path, category: str = "") -> None:
        """Open or begin a project. category: needed where the folder has several; default: the folder's name.

        Raises ValueError or OSError naming what is wrong, also where another process has it open.
        """
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(exist_ok=True)
        self._lock = threading.RLock()
        self._owned = _own(self.work / "lock")
        try:
            content = self._content()
            name = _category(content, category) or self.root.name
            self._others = _others(content, name)
            self._journal = Journal(self.work / "journal.jsonl")
            self.state = self._replayed(name)
            self._follow(content)
        except BaseException:
            self._owned.close()
            raise
        self.revision = 1
        self.changed: Callable[[], None] = lambda: None  # called after every change, without the lock

    @property
    def work(self) -> Path:
        """Where the page keeps what can be computed again."""
        return self.root / WORK

    def do(self, action: Action) -> State:
        """Do something; afterwards it is on disk. Raises ValueError where it is not possible, OSError."""
        with self._lock:
            state = action.apply(self.state)
            self._journal.add(action)
            self._show(state)
        self.changed()
        return state

    def undo(self) -> Action:
        """Take the last action back, also one of another tab. Raises ValueError, OSError."""
        return self._turn(self._journal.undo)

    def redo(self) -> Action:
        """Do again what was taken back last. Raises ValueError, OSError."""
        return self._turn(self._journal.redo)

    def add(self, shot: Shot) -> str:
        """Keep a picture; return its name. Raises ValueError, OSError."""
        with self._lock:
            action = keep(self.root, shot, self.state.pictures.__contains__)
            self.do(action)
        return action.name

    @property
    def ahead(self) -> tuple[Action | None, Action | None]:
        """Return what would be undone, and what done again."""
        with self._lock:
            done, undone = self._journal.actions, self._journal.undone
            return (done[-1] if done else None), (undone[-1] if undone else None)

    def path(self, relative: str) -> Path:
        """Return a file of the project, certainly inside its folder. Raises ValueError."""
        found = (self.root / relative).resolve()
        if not relative or not found.is_relative_to(self.root):
            raise ValueError(f"{relative!r} is not in the project")
        return found

    def close(self) -> None:
        """Let another process have it."""
        with self._lock:
            self._journal.close()
            self._owned.close()

    def _turn(self, turn: Callable[[], Action]) -> Action:
        with self._lock:
            action = turn()
            self._show(self._journal.state(self.state.category))
        self.changed()
        return action

    def _show(self, state: State) -> None:
        write_json(self.root / folder.FILE, as_folder(state, self._others))
        self.state = state
        self.revision += 1

    def _replayed(self, category: str) -> State:
        try:
            return self._journal.state(category)
        except ValueError as error:
            raise ValueError(f"{self.work / 'journal.jsonl'} does not fit together: {error}") from error

    def _content(self) -> Any:
        path = self.root / folder.FILE
        content = read_json(path) if path.is_file() else {}
        if not isinstance(content, dict):
            raise ValueError(f"{path}: expected an object with 'categories' and 'images'")
        return content

    def _follow(self, content: Any) -> None:
        """Bring journal and data set together, after a crash and where another program wrote the latter."""
        path, written = self.root / folder.FILE, as_folder(self.state, self._others)
        if content == written:
            return
        earlier = self._journal.actions[:-1]
        if content and content != self._as_after(earlier) and self.state.category in content["categories"]:
            adopted = _adopted(self.root, self.state.category)
            state = adopted.apply(self.state)
            self._journal.add(adopted)
            self.state = state
        write_json(path, as_folder(self.state, self._others))

    def _as_after(self, earlier: list[Action]) -> dict[str, Any]:
        state = State(self.state.category)
        for action in earlier:
            state = action.apply(state)
        return as_folder(state, self._others)


def _category(content: dict[str, Any], wanted: str) -> str:
    there = list(content.get("categories", {}))
    if wanted or not there:
        return wanted
    if len(there) > 1:
        raise ValueError(f"the folder has the categories {', '.join(there)}: choose with --category")
    return str(there[0])


def _others(content: dict[str, Any], category: str) -> dict[str, Any]:
    if not content:
        return {}
    kept = {name: entry for name, entry in content["categories"].items() if name != category}
    images = [one for one in content["images"] if isinstance(one, dict) and one.get("category") != category]
    return {**content, "categories": kept, "images": images}


def _adopted(root: Path, category: str) -> Adopt:
    """Read a category of a folder data set. Raises ValueError naming what cannot be read."""
    data = folder.build(root)
    if problems := data.problems():
        raise ValueError(f"{problems[0]}; mend it before it is taught further")
    info = data.info(category)
    names, pictures = info.keypoint_names, []
    for split in ("trn", "val", "test"):
        for image in data.images(category, split):
            marks = {
                name: point.tolist()
                for name, point, seen in zip(names, image.keypoints, image.visible, strict=True)
                if seen
            }
            relative = lambda path: "" if path is None else str(path.relative_to(root))  # noqa: E731
            camera = root / "cameras" / f"{image.name}.json"
            pictures.append(
                {
                    "name": image.name,
                    "file": relative(image.image_path),
                    "size": list(image.size),
                    "depth": relative(image.depth_path),
                    "camera": relative(camera if camera.is_file() else None),
                    "mask": relative(image.mask_path),
                    "marks": marks,
                    "split": split,
                }
            )
    flip = info.flip or ()
    pairs = tuple((names[i], names[j]) for i, j in enumerate(flip) if i < j)
    edges = tuple((names[i], names[j]) for i, j in info.edges)
    return Adopt(names, pairs, edges, info.flat, info.symmetric, tuple(pictures))


def _own(path: Path) -> IO[str]:
    """Hold a file as long as this process lives. Raises ValueError where another one holds it."""
    file = path.open("a")
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise ValueError(f"{path.parent.parent} is open in another process: close that first") from error
    return file


@contextlib.contextmanager
def opened(root: Path, category: str = "") -> Iterator[Session]:
    """Open a project for a while."""
    session = Session(root, category)
    try:
        yield session
    finally:
        session.close()


__all__ = ["Session", "actions", "opened"]
