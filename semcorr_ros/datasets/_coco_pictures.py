"""The pictures of a COCO file: where each lies, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from semcorr_ros.datasets._coco_categories import Note
from semcorr_ros.datasets._coco_files import CocoFile
from semcorr_ros.datasets._image_files import Found, ImageFiles
from semcorr_ros.datasets._marks import shown
from semcorr_ros.files import orientation
from semcorr_ros.files.picture import image_size


@dataclass(frozen=True)
class Picture:
    """A picture of a file."""

    path: Path
    size: tuple[int, int]  # (h, w) as it is shown
    turn: int = 1  # EXIF orientation that its annotations still need


Shown = dict[str, Picture]  # by id of the image


def pictures_of(file: CocoFile, wanted: set[str], places: ImageFiles, note: Note) -> Shown:
    """Find the pictures; one that two entries claim goes to the one whose folders agree."""
    found: dict[str, tuple[Found, Picture]] = {}
    for key, entry in file.images.items():
        if key in wanted:
            try:
                found[key] = _picture(entry, file.path, places)
            except (ValueError, FileNotFoundError) as error:
                note(f"{file.name}, image {key}: skipped, {error}")
    claims: dict[Path, list[str]] = {}
    for key, (picture, _) in found.items():
        claims.setdefault(picture.path, []).append(key)
    shown_by: Shown = {}
    for path, keys in claims.items():
        most = max(found[key][0].agreeing for key in keys)
        sure = [key for key in keys if found[key][0].agreeing == most]
        alike = len({_recorded(file.images[key]) for key in sure}) == 1
        for key in keys:
            if alike and key in sure:
                shown_by[key] = found[key][1]
            else:
                name = _recorded(file.images[key])
                note(f"{file.name}, image {key}: skipped, no image {name!r}: {path} is another entry's")
    return shown_by


def _recorded(entry: dict[str, Any]) -> str:
    names = [entry.get(field) for field in ("file_name", "path", "coco_url")]
    name = next((name for name in names if isinstance(name, str) and name.strip()), None)
    if name is None:
        raise ValueError(f"its 'file_name' is {shown(names[0])}")
    return name


def _picture(entry: dict[str, Any], annotations: Path, places: ImageFiles) -> tuple[Found, Picture]:
    found = places.find(_recorded(entry), annotations)
    size = image_size(found.path)
    height, width = entry.get("height"), entry.get("width")
    if not (_is_side(height) and _is_side(width)):
        return found, Picture(found.path, size)
    turn = orientation.of_annotation(found.path, (height, width))
    return found, Picture(found.path, size, turn)


def _is_side(value: Any) -> TypeGuard[int]:
    return type(value) in (int, float) and 0 < value < 1e9
