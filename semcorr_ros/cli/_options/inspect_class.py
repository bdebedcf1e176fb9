"""Options of `inspect_class`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.options import option


@dataclass(frozen=True)
class InspectClassOptions:
    """All of them."""

    class_file: Path = option(MISSING, "<class>.safetensors", metavar="FILE", positional=True)
    json: Path | None = option(None, "write the numbers here", metavar="FILE")
    picture: Path | None = option(None, "dense cloud from four sides", metavar="PNG")
