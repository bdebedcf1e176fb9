"""labelme's files are a `folder` data set: the right places, and a sentence about everything else."""

from __future__ import annotations

import json
from pathlib import Path

import coco_folder
import pytest
import torch
from PIL import Image

from semcorr_ros.datasets import folder


def point(label, x, y, group=None, **flags):
    shape = {"label": label, "points": [[x, y]], "group_id": group, "shape_type": "point", "flags": flags}
    return shape | {"description": ""}


def box(label, x1, y1, x2, y2, group=None, kind="rectangle"):
    corners = [[x2, y2], [x1, y1]]  # as they were drawn
    return {"label": label, "points": corners, "group_id": group, "shape_type": kind, "flags": {}}


MUG = [box("mug", 5, 10, 55, 40), point("rim_left", 10, 20), point("rim_right", 40.5, 22)]


def write(root: Path, name: str, shapes, picture: bool = True, **changed):
    """Write <root>/<name>.json and its picture beside it."""
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{Path(name).name}.png"}
    height, width = coco_folder.SIZE
    coco_folder.write(
        root / f"{name}.json",
        content | {"imageData": None, "imageHeight": height, "imageWidth": width} | changed,
    )
    if picture:
        coco_folder.picture(root / f"{name}.png")


def test_points_in_a_box(tmp_path):
    write(tmp_path, "train/a", [*MUG, point("handle", 50, 30, occluded=True)])
    write(tmp_path, "test/b", MUG)
    dataset = folder.build(tmp_path)
    assert dataset.problems() == []
    assert dataset.categories() == ["mug"]
    assert dataset.info("mug").keypoint_names == ("handle", "rim_left", "rim_right")
    assert dataset.info("mug").flip == (0, 2, 1)
    (image,) = dataset.images("mug", "trn")
    assert image.visible.tolist() == [False, True, True]
    assert image.keypoints[1:].tolist() == [[10, 20], [40.5, 22]]
    assert image.bbox == (5, 10, 55, 40)
    assert [one.name for one in dataset.images("mug", "test")] == ["b"]


def test_objects_by_group_and_by_place(tmp_path):
    first = [box("mug", 0, 0, 30, 30, 1), point("rim", 10, 10, 1), point("base", 45, 10, 1)]
    second = [
        box("mug", 40, 0, 70, 30, 2),
        point("rim", 50, 10, 2),
        box("cup", 40, 35, 75, 55),
        point("rim", 60, 50),
    ]
    write(tmp_path, "a", first + second)
    dataset = folder.build(tmp_path)
    mugs = {image.name: image.keypoints.nan_to_num(-1).tolist() for image in dataset.images("mug", "trn")}
    assert mugs == {"a#1": [[45, 10], [10, 10]], "a#2": [[-1, -1], [50, 10]]}
    assert dataset.images("cup", "trn")[0].keypoints.tolist() == [[60, 50]]


@pytest.mark.parametrize("flags", [None, "occluded", [True], 1])
def test_flags_that_are_none(flags, tmp_path):
    write(tmp_path, "a", [*MUG, point("handle", 50, 30) | {"flags": flags}])
    assert folder.build(tmp_path).images("mug", "trn")[0].visible.all()


def test_points_alone_are_of_the_category_that_the_folder_is_called(tmp_path):
    write(tmp_path / "kettle", "a", [point("spout", 10, 20, 1), point("spout", 60, 20, 2)])
    images = folder.build(tmp_path / "kettle").images("kettle", "trn")
    assert [image.keypoints.tolist() for image in images] == [[[10, 20]], [[60, 20]]]


@pytest.mark.parametrize("kind", ["polygon", "mask"])
def test_outlines_of_other_kinds(kind, tmp_path):
    write(tmp_path, "a", [box("mug", 5, 10, 55, 40, kind=kind), *MUG[1:]])
    assert folder.build(tmp_path).images("mug", "trn")[0].bbox == (5, 10, 55, 40)


@pytest.mark.parametrize(
    ("shapes", "changed", "said"),
    [
        ([*MUG, point("rim_left", 12, 20)], {}, "two points 'rim_left': give each object's"),
        ([*MUG, point("handle", 79, 59)], {}, "point 'handle' is of 0 objects: give it the group_id"),
        ([*MUG, box("mug", 5, 10, 60, 40)], {}, "point 'rim_left' is of 2 objects"),
        ([*MUG, point("x", "1", None)], {}, "shape 4 must be 2 numbers"),
        ([*MUG, point(None, 1, 2)], {}, "shape 4 has no points or no label"),
        ([*MUG, point("x", 9, 15) | {"points": 7}], {}, "shape 4 has no points or no label"),
        (MUG, {"imagePath": None}, "its 'imagePath' is None"),
        (MUG, {"imagePath": "none.png"}, "no image 'none.png'"),
        (MUG, {"imageHeight": 30, "imageWidth": 40}, "is 80x60 but its annotation says 40x30"),
        (MUG, {"imageHeight": "60"}, "imageHeight and imageWidth must be 2 numbers"),
    ],
)  # fmt: skip
def test_what_is_broken_is_skipped_and_named(shapes, changed, said, tmp_path):
    write(tmp_path, "a", shapes, **changed)
    with pytest.raises(ValueError, match=f"labelme's files hold no keypoints; a.json: skipped, .*{said}"):
        folder.build(tmp_path)
    write(tmp_path, "b", MUG)
    (tmp_path / "c.json").write_text('{"shapes": [')
    dataset = folder.build(tmp_path)
    assert [image.name for image in dataset.images("mug", "trn")] == ["b"]
    broken, problem = dataset.problems()
    assert "c.json is not valid JSON" in broken
    assert said in problem


@pytest.mark.parametrize("path", ["..\\images\\m.png", "../images/m.png", "m.png"])
def test_pictures_elsewhere_with_what_lies_beside_them(path, tmp_path):
    write(tmp_path, "json/m", MUG, picture=False, imagePath=path)
    coco_folder.picture(tmp_path / "images" / "m.png")
    Image.new("L", (80, 60)).save(coco_folder.picture(tmp_path / "masks" / "m.png"))
    (image,) = folder.build(tmp_path).images("mug", "trn")
    assert image.image_path == tmp_path / "images" / "m.png"
    assert image.mask_path == tmp_path / "masks" / "m.png"


def test_a_photograph_that_was_annotated_as_stored_is_turned_with_its_points(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path, "a", MUG, picture=False)
    coco_folder.picture(tmp_path / "a.png", exif=exif)  # stored 80 x 60, shown 60 x 80
    (image,) = folder.build(tmp_path).images("mug", "trn")
    assert image.size == (80, 60)
    assert torch.equal(image.keypoints, torch.tensor([[59 - 20.0, 10.0], [59 - 22.0, 40.5]]))
    assert image.bbox == (19, 5, 49, 55)


def test_a_file_of_our_own_decides(tmp_path):
    write(tmp_path, "a", MUG)
    entry = {"file": "a.png", "category": "jug", "keypoints": {"rim": [3, 4]}}
    content = {"categories": {"jug": {"keypoint_names": ["rim"]}}, "images": [entry]}
    (tmp_path / "keypoints.json").write_text(json.dumps(content))
    assert folder.build(tmp_path).categories() == ["jug"]
