"""What the page asks of a running node. ros/teaching.py does it over ROS 2; nothing here imports that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from semcorr_ros.artifacts import Frame
from semcorr_ros.teach.pictures import Shot

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Marked:
    """A picture and pixels in it."""

    frame: Frame
    points: Points
    names: Sequence[str] = field(default_factory=tuple)


class NodeLink(Protocol):
    """A node that is reached in some way. Everything but `status` waits for it."""

    def status(self) -> dict[str, Any]:
        """Tell {"name", "reachable", "classes"}; at once."""
        ...

    def load(self, path: Path) -> str:
        """Have it hold a class file; return a sentence. Raises Refusal."""
        ...

    def transfer(self, class_name: str, source: Marked) -> tuple[dict[str, Any], Shot | None]:
        """Have pixels carried over to what its camera shows: an answer as `insight.answer_json` makes it, and
        the picture it is about, if known. Raises Refusal."""
        ...

    def store(self, class_name: str, name: str, source: Marked) -> str:
        """Have it keep a demonstration; return a sentence. Raises Refusal."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
