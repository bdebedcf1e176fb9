"""Where the stages of one category leave their files.

    W/<category>/masks/<stem>.png           the object's mask, above 127 = object     reconstruct
    W/<category>/meshes/<stem>.ply .json    the provider's mesh and pose              reconstruct
    W/<category>/refined/<stem>.ply .json   its pose refined                          refine
    W/<category>/canonical/<stem>.ply .json its yaw that of the category              canonicalize
    W/<category>/descriptors/<stem>.*       descriptors of its vertices               describe
    W/<category>/pseudo_labels/             verified matches                          pseudo_label

Each folder holds `settings.json`, what its stage was told, so that no file of other settings is taken for one
of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semcorr_ros.storage import read_json, write_json

MASKS, MESHES, REFINED, CANONICAL = "masks", "meshes", "refined", "canonical"
DESCRIPTORS, PSEUDO_LABELS = "descriptors", "pseudo_labels"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class WorkFolder:
    """The files of one category. Raises ValueError for a category that is no name of a folder."""

    root: Path
    category: str

    def __post_init__(self) -> None:
        if self.category in ("", ".", "..") or Path(self.category).name != self.category:
            raise ValueError(f"category {self.category!r} is no name for a folder")

    def folder(self, stage: str) -> Path:
        """Return the folder of a stage, such as MESHES."""
        return self.root / self.category / stage

    def file(self, stage: str, name: str, suffix: str = ".ply") -> Path:
        """Return the file of an image. Raises ValueError for an image whose name is no name for a file."""
        if not name or Path(name).name != name or name == SETTINGS.partition(".")[0]:
            raise ValueError(f"image {name!r} is no name for a file")
        return self.folder(stage) / f"{name}{suffix}"

    def names(self, stage: str, suffix: str = ".ply") -> list[str]:
        """List the images that a stage has a file of, sorted; hidden ones are unfinished."""
        found = (path.name for path in self.folder(stage).glob(f"*{suffix}"))
        return sorted(name.removesuffix(suffix) for name in found if name[0] != "." and name != SETTINGS)

    def settle(self, stage: str, settings: dict[str, Any]) -> None:
        """Remember the settings of a stage; those of an earlier run must be the same.

        Raises ValueError naming what differs.
        """
        path = self.folder(stage) / SETTINGS
        if not path.is_file():
            write_json(path, settings)
            return
        before = read_json(path)
        for key in sorted(set(before) | set(settings)):
            if before.get(key) != settings.get(key):
                raise ValueError(
                    f"{path.parent} was made with {key}={before.get(key)!r}, not {settings.get(key)!r}: "
                    f"delete that folder, or take another --work"
                )
