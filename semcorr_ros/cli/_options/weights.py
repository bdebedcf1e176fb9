"""Options of `weights`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.options import option


@dataclass(frozen=True)
class WeightsOptions:
    """All of them."""

    action: str = option(
        MISSING,
        "list: names, licences, sizes, and what is on this machine; fetch: download, an interrupted download "
        "goes on where it was; check: compare files with their hashes, exit status 1 for a bad one",
        choices=("list", "fetch", "check"),
        positional=True,
    )
    names: tuple[str, ...] = option(
        (),
        "as `weights list` shows them; check: default all on this machine",
        metavar="NAME",
        positional=True,
    )
    folder: Path | None = option(
        None,
        "holds one sub-folder per model (default: $SEMCORR_WEIGHTS, else the hub's cache)",
        metavar="DIR",
    )
    json: Path | None = option(None, "write the result here", metavar="FILE")

    def __post_init__(self) -> None:
        if self.action == "fetch" and not self.names:
            raise ValueError("weights fetch needs the NAME of a model; `weights list` shows them")
        if self.action == "list" and (self.names or self.folder):
            raise ValueError("weights list shows all models: it takes neither a NAME nor --folder")
