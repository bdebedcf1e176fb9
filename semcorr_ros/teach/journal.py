"""Every action on disk, a line of JSON each, before it is shown: what a crash leaves is what was seen."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from semcorr_ros.teach.actions import Action, read, write
from semcorr_ros.teach.state import State

HEADER = {"format": "semcorr_ros teach 1"}
UNDO, REDO = {"do": "Undo"}, {"do": "Redo"}


class Journal:
    """An append-only file of actions, undone and redone ones among them."""

    def __init__(self, path: Path) -> None:
        """Read what is there. Raises ValueError naming a line that cannot be understood, OSError.

        A last line without its end was never shown: it is cut off.
        """
        self._path = path
        self.actions: list[Action] = []  # in force
        self._undone: list[Action] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = path.read_bytes() if path.is_file() else b""
        whole = kept[: kept.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            self._read(number, line)
        self._file = path.open("ab", buffering=0)
        if len(whole) < len(kept):
            self._file.truncate(len(whole))
        if not whole:
            self._append(HEADER)

    def add(self, action: Action) -> None:
        """Write an action; afterwards it is on disk."""
        self._append(write(action))
        self._take(action)

    def undo(self) -> Action:
        """Take the last action back. Raises ValueError where there is none."""
        if not self.actions:
            raise ValueError("nothing to undo")
        self._append(UNDO)
        return self._undo()

    def redo(self) -> Action:
        """Do again what was taken back last. Raises ValueError where there is none."""
        if not self._undone:
            raise ValueError("nothing to do again")
        self._append(REDO)
        return self._redo()

    @property
    def undone(self) -> Sequence[Action]:
        """What can be done again, the next one last."""
        return self._undone

    def state(self, category: str) -> State:
        """Apply all actions in force to an empty project."""
        return reduce(lambda state, action: action.apply(state), self.actions, State(category))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, number: int, line: bytes) -> None:
        try:
            content = json.loads(line)
            if number == 1:
                if content != HEADER:
                    raise ValueError(f"expected {HEADER}")
            elif content == UNDO:
                self._undo()
            elif content == REDO:
                self._redo()
            else:
                self._take(read(content))
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{self._path}, line {number}: {error}; keypoints.json beside it still has the confirmed "
                "pictures: move the journal away to start from them"
            ) from error

    def _append(self, content: dict[str, Any]) -> None:
        before = os.fstat(self._file.fileno()).st_size
        try:
            self._file.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), before)  # half a line would spoil the next one
            raise

    def _take(self, action: Action) -> None:
        self.actions.append(action)
        self._undone.clear()

    def _undo(self) -> Action:
        self._undone.append(self.actions.pop())
        return self._undone[-1]

    def _redo(self) -> Action:
        self.actions.append(self._undone.pop())
        return self.actions[-1]
