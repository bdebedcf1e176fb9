"""A project leaves as COCO or `folder`, and comes back; so does what annotation tools export."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from teach.test_session import NAMES, project, shot  # noqa: F401

from semcorr_ros.datasets import coco, folder
from semcorr_ros.teach.actions import Accept, SetPairs
from semcorr_ros.teach.exporting import packed
from semcorr_ros.teach.importing import bring
from semcorr_ros.teach.proposing import keep_mask
from semcorr_ros.teach.session import opened

MARKS = {"rim_left": (10.0, 20.0), "rim_right": None, "base": (12.5, 20.25)}


@pytest.fixture
def annotated(project):  # noqa: F811
    project.add(shot(1, depth=True))
    project.do(SetPairs((("rim_left", "rim_right"),)))
    project.do(Accept("0001"))
    project.do(Accept("0002", MARKS))
    return project


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def exported(session, layout: str) -> bytes:
    """The project as a tool exports it: the same annotations in its folders."""
    with zipfile.ZipFile(packed(session, "coco")) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told = files.pop("annotations.json")
    if layout == "cvat":
        moved = {f"images/default/{Path(name).name}": data for name, data in files.items()}
        return zipped({"annotations/person_keypoints_default.json": told, **moved})
    if layout == "label studio":
        content = json.loads(told)
        for one in content["images"]:
            one["file_name"] = f"images\\{one['file_name']}"
        return zipped({"result.json": json.dumps(content).encode(), **files})
    return zipped({f"export/{name}": data for name, data in {"annotations.json": told, **files}.items()})


@pytest.mark.parametrize("layout", ["ours", "cvat", "label studio"])
def test_what_was_exported_comes_back_as_it_was(annotated, tmp_path, layout):
    with opened(tmp_path / "other" / "cup") as other:
        assert bring(other, exported(annotated, layout)) == "2 pictures of 'cup', 3 new keypoints"
        assert other.state.keypoints == NAMES
        first, second = (one.marks for one in other.state.done)
        assert first == {"rim_left": (10, 20), "rim_right": (11, 20), "base": (12, 20)}
        assert second == MARKS
        names = [one.name for one in folder.build(other.root).images("cup", "trn")]
        assert len(names) == 2


@pytest.mark.parametrize(("kind", "builder"), [("coco", coco), ("folder", folder)])
def test_an_export_is_a_data_set_like_any_other(annotated, tmp_path, kind, builder):
    root = tmp_path / "unpacked"
    with zipfile.ZipFile(packed(annotated, kind)) as archive:
        archive.extractall(root)
    dataset = builder.build(root)
    assert not dataset.problems()
    shown = [one.visible.tolist() for one in dataset.images("cup", "trn")]
    assert shown == [[True, True, True], [True, False, True]]


def test_coco_says_where_the_objects_are(annotated):
    outline = torch.zeros(48, 64, dtype=torch.bool)
    outline[5:20, 8:30] = True
    annotated.do(Accept("0002", {}, keep_mask(annotated, "0002", outline)))
    with zipfile.ZipFile(packed(annotated, "coco")) as archive:
        told = json.loads(archive.read("annotations.json"))["annotations"]
    assert told[1]["bbox"] == [8, 5, 22, 15]
    assert told[1]["area"] == 15 * 22
    corners = {tuple(corner) for corner in np.reshape(told[1]["segmentation"][0], (-1, 2)).tolist()}
    assert corners == {(8, 5), (8, 19), (29, 19), (29, 5)}
    assert told[0]["bbox"] == [10, 20, 2, 1]  # three keypoints in a line, and no outline
    assert "segmentation" not in told[0]


def test_pictures_of_known_keypoints_add_none(annotated):
    data = exported(annotated, "ours")
    assert bring(annotated, data) == "2 pictures of 'cup', 0 new keypoints"
    assert len(annotated.state.done) == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no zip", "no zip that can be read"),
        (zipped({"../outside.json": b"{}"}), "outside of itself"),
        (zipped({"picture.png": b""}), "no JSON file in the zip"),
        (zipped({"a.json": b'{"images": [], "annotations": [], "categories": []}'}), "cup"),
        (zipped({f"{i}.txt": b"" for i in range(2001)}), "at most 2000 files"),
    ],
    ids=["no zip", "leads out", "no JSON", "no category", "too many files"],
)
def test_what_cannot_be_imported_is_named_and_nothing_is_added(annotated, data, message):
    before = annotated.state
    with pytest.raises(ValueError, match=message):
        bring(annotated, data)
    assert annotated.state == before
    assert not (annotated.root.parent / "outside.json").exists()


def test_nothing_is_exported_before_a_picture_is_confirmed(project):  # noqa: F811
    with pytest.raises(ValueError, match="no picture is confirmed yet"):
        packed(project, "coco")
    with pytest.raises(ValueError, match="export as one of class, folder, coco, got 'yolo'"):
        packed(project, "yolo")
