"""Options of `ask`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.options import option


@dataclass(frozen=True)
class AskOptions:
    """All of them."""

    class_name: str = option(MISSING, "what is looked for", metavar="CLASS", positional=True)
    names: tuple[str, ...] = option((), "keypoints; none = all", metavar="NAME", positional=True)
    node: str = option("/semcorr", "full name of the node", metavar="NAME")
    camera: str = option("", "one of the node's cameras; empty = the first", metavar="NAME")
    timeout: float = option(0.0, "seconds the answer may take; 0 = the node's own", 0.0, 3600.0, metavar="S")
    json: Path | None = option(None, "write the answer here", metavar="FILE")
