"""Options of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.options import option


@dataclass(frozen=True)
class DoctorOptions:
    """All of them."""

    node: str = option("/semcorr", "full name", metavar="NAME")
    seconds: float = option(3.0, "to watch the inputs", 0.0, 3600.0, metavar="S")
    class_file: tuple[Path, ...] = option((), "look at this class file, too", several=True, metavar="FILE")
    no_ros: bool = option(False, "look at the machine only")
    json: Path | None = option(None, "write the findings here", metavar="FILE")
