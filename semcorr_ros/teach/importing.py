"""What CVAT, Label Studio and other annotation tools export as COCO keypoints, into a project."""

from __future__ import annotations

import io
import math
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.datasets import coco
from semcorr_ros.teach.actions import Accept, AddKeypoint, SetPairs
from semcorr_ros.teach.pictures import read_shot
from semcorr_ros.teach.session import Session

LARGEST_IMPORT = 512 * 2**20  # bytes of a zip
LARGEST_UNPACKED = 2 * 2**30
MOST_FILES = 2000


def bring(session: Session, data: bytes) -> str:
    """Add the pictures of a zip of COCO keypoints, as annotation tools export it; return a sentence.

    Raises ValueError saying what is wrong with it; nothing is added then.
    """
    with tempfile.TemporaryDirectory(dir=session.work) as folder:
        root = Path(folder)
        _unpack(data, root)
        found = coco.build(_root_of(root))
        category = _category(found.categories(), session.state.category)
        info = found.info(category)
        images = [image for split in ("trn", "val", "test") for image in found.images(category, split)]
        if not images:
            raise ValueError(f"no annotated image of {category!r} in it: {'; '.join(found.problems()[:2])}")
        new = [name for name in info.keypoint_names if name not in session.state.keypoints]
        for name in new:
            session.do(AddKeypoint(name))
        if new and info.flip and not session.state.pairs:
            names = info.keypoint_names
            session.do(SetPairs(tuple((names[i], names[j]) for i, j in enumerate(info.flip) if i < j)))
        for image in images:
            _take(session, image, info.keypoint_names)
    told = f"{len(images)} pictures of {category!r}, {len(new)} new keypoints"
    skipped = found.problems()
    return f"{told}; skipped {len(skipped)}: {skipped[0]}" if skipped else told


def _take(session: Session, image: AnnotatedImage, names: tuple[str, ...]) -> None:
    name = session.add(read_shot(image.image_path.read_bytes(), image.image_path.name))
    marks: dict[str, Any] = dict.fromkeys(session.state.keypoints)
    for one, point, seen in zip(names, image.keypoints.tolist(), image.visible.tolist(), strict=True):
        if seen and all(map(math.isfinite, point)):
            marks[one] = point
    session.do(Accept(name, marks))


def _unpack(data: bytes, root: Path) -> None:
    """Unpack a zip into a folder, within bounds, nothing beside it. Raises ValueError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            size = sum(one.file_size for one in members)
            if len(members) > MOST_FILES or size > LARGEST_UNPACKED:
                allowed = f"at most {MOST_FILES} files and {LARGEST_UNPACKED >> 30} GiB"
                raise ValueError(f"the zip holds {len(members)} files of {size} bytes together; {allowed}")
            for one in members:
                target = (root / one.filename).resolve()
                if not target.is_relative_to(root.resolve()):
                    raise ValueError(f"the zip names a file outside of itself: {one.filename[:80]!r}")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(one) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"that is no zip that can be read: {error}") from error


def _root_of(root: Path) -> Path:
    """Find where a COCO data set begins: exports have a folder around it, or none."""
    for file in sorted(root.rglob("*.json"), key=lambda path: len(path.parts)):
        return file.parent.parent if file.parent.name == "annotations" else file.parent
    raise ValueError("no JSON file in the zip: export as COCO keypoints, with the images")


def _category(there: list[str], wanted: str) -> str:
    if wanted in there:
        return wanted
    if len(there) == 1:
        return there[0]
    raise ValueError(f"the categories in it are {', '.join(there) or 'none'}, this project is of {wanted!r}")
