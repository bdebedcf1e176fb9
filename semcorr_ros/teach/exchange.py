"""A project's data set in and out: as zip of `folder` or COCO; from what CVAT and Label Studio export."""

from __future__ import annotations

import io
import json
import math
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.datasets import coco
from semcorr_ros.datasets.folder import FILE
from semcorr_ros.storage import atomic_path
from semcorr_ros.teach.actions import Accept, AddKeypoint, SetPairs
from semcorr_ros.teach.pictures import read_shot
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.state import State, Taken

LARGEST_IMPORT = 512 * 2**20  # bytes of a zip
LARGEST_UNPACKED = 2 * 2**30
MOST_FILES = 2000
KINDS = ("folder", "coco")
VISIBLE, ABSENT = 2, 0  # of COCO; it says 0 for what is not labelled


def packed(session: Session, kind: str) -> Path:
    """Write the confirmed pictures as one zip; return its path. Raises ValueError, OSError."""
    if kind not in KINDS:
        raise ValueError(f"export as one of {', '.join(('class', *KINDS))}, got {kind[:40]!r}")
    state = session.state
    if not state.done:
        raise ValueError("no picture is confirmed yet")
    path = session.work / f"{session.root.name}-{kind}.zip"
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        if kind == "coco":
            with archive.open("annotations.json", "w") as file:
                file.write(json.dumps(as_coco(state)).encode())
        else:
            archive.write(session.root / FILE, FILE)
        for picture in state.done:
            for file_name in _files(picture, kind):
                archive.write(session.path(file_name), file_name)
    return path


def as_coco(state: State) -> dict[str, Any]:
    """Convert the confirmed pictures to COCO keypoints."""
    edges = [[a + 1, b + 1] for a, b in state.info.edges]
    category = {"id": 1, "name": state.category, "keypoints": list(state.keypoints), "skeleton": edges}
    images, annotations = [], []
    for number, picture in enumerate(state.done, start=1):
        height, width = picture.size
        images.append({"id": number, "file_name": Path(picture.file).name, "height": height, "width": width})
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, **_annotation(state, picture)}
        )
    return {"images": images, "annotations": annotations, "categories": [category]}


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


def _annotation(state: State, picture: Taken) -> dict[str, Any]:
    flat: list[float] = []
    for name in state.keypoints:
        mark = picture.marks.get(name)
        flat += [0, 0, ABSENT] if mark is None else [*mark, VISIBLE]
    seen = list(picture.seen.values())
    low = [min(point[i] for point in seen) for i in (0, 1)]
    extent = [max(point[i] for point in seen) - low[i] for i in (0, 1)]
    return {
        "keypoints": flat,
        "num_keypoints": len(seen),
        "bbox": [*low, *extent],
        "area": extent[0] * extent[1],
        "iscrowd": 0,
    }


def _files(picture: Taken, kind: str) -> list[str]:
    if kind == "coco":
        return [picture.file]
    return [file for file in (picture.file, picture.depth, picture.camera, picture.mask) if file]


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
