"""COCO files as people have them: the right objects, and a sentence about everything else."""

from __future__ import annotations

import math
from pathlib import Path

import coco_folder as made
import pytest
import torch

from semcorr_ros.datasets import coco

LAYOUTS = {  # annotation file, what it says of the picture, where the picture lies, its split
    "COCO itself": ("annotations/person_keypoints_train2017.json", "m.png", "train2017/m.png", "trn"),
    "COCO val": ("annotations/person_keypoints_val2017.json", "m.png", "val2017/m.png", "val"),
    "CVAT": ("annotations/person_keypoints_train.json", "m.png", "images/train/m.png", "trn"),
    "CVAT, no subset": ("annotations/person_keypoints_default.json", "m.png", "images/default/m.png", "trn"),
    "CVAT, a folder": ("annotations/person_keypoints_train.json", "x/m.png", "images/train/x/m.png", "trn"),
    "Roboflow": ("train/_annotations.coco.json", "m_png.rf.1f.png", "train/m_png.rf.1f.png", "trn"),
    "Roboflow valid": ("valid/_annotations.coco.json", "m.png", "valid/m.png", "val"),
    "Roboflow test": ("test/_annotations.coco.json", "m.png", "test/m.png", "test"),
    "Label Studio": ("result.json", "images/m.png", "images/m.png", "trn"),
    "Windows": ("result.json", r"images\m.png", "images/m.png", "trn"),
    "Windows, whole path": ("result.json", r"C:\data\m.png", "images/m.png", "trn"),
    "upload": ("result.json", "../../upload/m.png", "images/m.png", "trn"),
    "upload with a number": ("result.json", "/data/upload/3/0a1b2c3d-m.png", "images/m.png", "trn"),
    "local files": ("result.json", "/data/local-files/?d=shelf/m.png", "images/m.png", "trn"),
    "local, escaped": ("result.json", "/data/local-files/?d=a%5Cmy%20m.png", "images/my m.png", "trn"),
    "escaped": ("result.json", "images/my%20mug.png", "images/my mug.png", "trn"),
    "a percent sign of its own": ("result.json", "images/100%25.png", "images/100%25.png", "trn"),
    "bucket": ("result.json", "s3://bucket/shelf/m.png", "images/m.png", "trn"),
    "address": ("result.json", "https://host:8080/a/m.png?token=1", "images/m.png", "trn"),
    "other case": ("result.json", "images/M.PNG", "images/m.png", "trn"),
    "brackets": ("result.json", "images/[m.png", "images/[m.png", "trn"),
    "COCO Annotator": ("mugs.json", "m.png", "m.png", "trn"),
    "latest is no test": ("latest_labels.json", "m.png", "images/m.png", "trn"),
    "words": ("my-test_set.json", "m.png", "images/m.png", "test"),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_are_found_where_tools_put_them(layout, tmp_path):
    file, recorded, picture, split = LAYOUTS[layout]
    made.write(tmp_path / "set" / file, made.content([recorded]))
    there = made.picture(tmp_path / "set" / picture)
    dataset = coco.build(tmp_path / "set")
    (image,) = dataset.images("mug", split)
    assert (image.image_path, dataset.problems()) == (there, [])


def test_a_file_in_the_folder_one_works_in(tmp_path, monkeypatch):
    for folder in ("train", "other"):
        made.picture(tmp_path / folder / "m.png")
    made.write(tmp_path / "train" / "mugs.json", made.content(["m.png"]))
    monkeypatch.chdir(tmp_path / "train")
    (image,) = coco.build(Path("mugs.json")).images("mug", "trn")
    assert image.image_path.resolve() == tmp_path / "train" / "m.png"


def test_the_file_itself_is_a_root_too(tmp_path):
    file = made.write(tmp_path / "annotations" / "labels.json", made.content(["m.png"]))
    there = made.picture(tmp_path / "images" / "m.png")
    for root in (file, file.parent):
        assert coco.build(root).images("mug", "trn")[0].image_path == there


def test_splits_of_roboflow_stay_apart(tmp_path):
    for folder in ("train", "valid", "test"):
        made.write(tmp_path / folder / "_annotations.coco.json", made.content(["m.png"]))
        made.picture(tmp_path / folder / "m.png")
    dataset = coco.build(tmp_path)
    found = {split: dataset.images("mug", split) for split in ("trn", "val", "test")}
    assert {s: [i.image_path.parent.name for i in images] for s, images in found.items()} == {
        "trn": ["train"], "val": ["valid"], "test": ["test"],
    }  # fmt: skip
    assert [image.name for image in found["trn"]] == ["train/m"]
    (only,) = coco.build(tmp_path / "valid").images("mug", "val")
    assert only.image_path.parent.name == "valid"


@pytest.mark.parametrize(
    ("file", "picture"),
    [
        ("{}/annotations/coco.json", "{}/images/m.png"),
        ("data/{}/annotations/coco.json", "data/{}/images/m.png"),
        ("annotations/{}/person_keypoints.json", "images/{}/m.png"),
        ("labels/{}.json", "images/{}/m.png"),
    ],
)
def test_splits_in_folders_stay_apart(file, picture, tmp_path):
    for split in ("train", "val"):
        made.write(tmp_path / file.format(split), made.content(["m.png"]))
        made.picture(tmp_path / picture.format(split))
    dataset = coco.build(tmp_path)
    for split, name in (("trn", "train"), ("val", "val")):
        (image,) = dataset.images("mug", split)
        assert image.image_path == tmp_path / picture.format(name)
    assert dataset.problems() == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_fault(encoding, tmp_path):
    made.picture(tmp_path / "m.png")
    made.write(tmp_path / "labels.json", made.content(["m.png"]), encoding)
    assert len(coco.build(tmp_path).images("mug", "trn")) == 1


def test_equal_stems_in_two_folders(tmp_path):
    made.data_set(tmp_path, made.content(["x/m.png", "y/m.png", "y/n.png"]))
    images = coco.build(tmp_path).images("mug", "trn")
    assert [(image.name, image.picture) for image in images] == [("n", "n"), ("x/m", "x/m"), ("y/m", "y/m")]
    assert [image.image_path.parent.name for image in images] == ["y", "x", "y"]


def test_equal_stems_in_one_folder_keep_their_endings(tmp_path):
    made.data_set(tmp_path, made.content(["x/m.png", "x/m.webp", "y/m.png"]))
    images = coco.build(tmp_path).images("mug", "trn")
    assert [image.name for image in images] == ["x/m.png", "x/m.webp", "y/m"]
    (tmp_path / "images" / "y" / "m.png").unlink()
    assert [image.name for image in coco.build(tmp_path).images("mug", "trn")] == ["m.png", "m.webp"]


def test_what_was_deleted_is_not_used(tmp_path):
    what = made.data_set(tmp_path, made.content(["a.png", "b.png", "c.png"]))
    what["images"][0]["deleted"] = what["annotations"][1]["deleted"] = True  # as COCO Annotator has it
    what["images"][2]["deleted"] = what["annotations"][2]["deleted"] = False
    made.write(tmp_path / "labels.json", what)
    dataset = coco.build(tmp_path)
    assert [image.name for image in dataset.images("mug", "trn")] == ["c"]
    said = "; ".join(dataset.problems())
    assert "image 1: skipped, it is deleted" in said
    assert "annotation 2: skipped, it is deleted" in said


def test_without_a_category_the_first_reason_is_told(tmp_path):
    what = made.data_set(tmp_path)
    what["categories"][0]["name"] = None
    made.write(tmp_path / "labels.json", what)
    with pytest.raises(ValueError, match=r"no category has .*; category 1: skipped, its 'name' is None"):
        coco.build(tmp_path)


def test_a_picture_is_never_shown_for_another(tmp_path):
    made.data_set(tmp_path, made.content(["x/m.png", "y/m.png"]))
    (tmp_path / "images" / "x" / "m.png").unlink()
    dataset = coco.build(tmp_path)
    (image,) = dataset.images("mug", "trn")
    assert image.image_path.parent.name == "y"
    assert "image 1: skipped, no image 'x/m.png'" in dataset.problems()[0]


def test_two_pictures_that_may_be_meant_are_both_named(tmp_path):
    made.write(tmp_path / "labels.json", made.content(["m.png"]))
    for folder in "xy":
        made.picture(tmp_path / folder / "m.png")
    dataset = coco.build(tmp_path)
    assert not dataset.images("mug", "trn")
    assert "'m.png' may be x/m.png or y/m.png" in dataset.problems()[0]


def test_a_mask_of_the_same_name_is_no_picture(tmp_path):
    made.data_set(tmp_path)
    for folder in ("masks", "depth"):
        made.picture(tmp_path / folder / "a.png")
    assert coco.build(tmp_path).images("mug", "trn")[0].image_path == tmp_path / "images" / "a.png"


def test_every_object_of_the_category_is_an_image(tmp_path):
    what = made.content(["a.png", "b.png"])
    what["categories"].append({"id": 2, "name": "cup", "keypoints": ["rim"]})
    what["annotations"] += [
        made.mug(3, 1, moved=20),
        made.mug(4, 1, category_id=2, keypoints=[70, 50, 2], bbox=[60, 40, 20, 20], area=10**6),
        made.mug(5, 1, iscrowd=1, area=10**6),
        made.mug(6, 2, iscrowd="1"),
    ]
    made.data_set(tmp_path, what)
    dataset = coco.build(tmp_path)
    images = dataset.images("mug", "trn")
    assert [(image.name, image.picture) for image in images] == [("a#1", "a"), ("a#2", "a"), ("b", "b")]
    assert [image.keypoints[0].tolist() for image in images] == [[10, 20], [30, 20], [10, 20]]
    assert [image.bbox[0] for image in images] == [5, 25, 5]
    (cup,) = dataset.images("cup", "trn")
    assert (cup.name, cup.keypoints.tolist()) == ("a", [[70.0, 50.0]])
    assert dataset.problems() == []
    pairs = {(pair.source, pair.target) for pair in dataset.pairs("mug", "trn")}
    assert pairs == {("a#1", "b"), ("b", "a#1"), ("a#2", "b"), ("b", "a#2")}  # not within a picture


def test_labelled_but_hidden_is_known_and_not_visible(tmp_path):
    made.data_set(tmp_path)
    dataset = coco.build(tmp_path)
    image = dataset.images("mug", "trn")[0]
    assert image.visible.tolist() == [True, True, False]
    assert image.keypoints[2].tolist() == [50, 30]
    assert dataset.pairs("mug", "trn")[0].keypoint_ids.tolist() == [0, 1]


def test_nothing_but_hidden_keypoints_is_said(tmp_path):
    hidden = [value for x, y, _ in made.POINTS for value in (x, y, 1)]
    made.data_set(tmp_path, made.content(["a.png"], keypoints=hidden))
    dataset = coco.build(tmp_path)
    assert not dataset.images("mug", "trn")[0].visible.any()
    assert "'mug': no keypoint is visible, all have v = 1" in dataset.problems()[0]


@pytest.mark.parametrize(
    ("value", "kept"),
    [(math.nan, [1, 2]), (math.inf, [1, 2]), (None, [1, 2]), ("10", [1, 2]), (10**99, [1, 2])],
)
def test_a_visible_keypoint_without_a_place_is_not_one(value, kept, tmp_path):
    flat = [value, 20, 2, 40, 22, 2, 50, 30, 2]
    made.data_set(tmp_path, made.content(["a.png", "b.png"], keypoints=flat))
    dataset = coco.build(tmp_path)
    image = dataset.images("mug", "trn")[0]
    assert image.visible.nonzero()[:, 0].tolist() == kept
    assert torch.isfinite(image.keypoints).all(-1).nonzero()[:, 0].tolist() == kept
    assert "annotation 1 (a.png): keypoint 'rim_left' is at" in dataset.problems()[0]


BROKEN = [  # what of the first annotation, image or category is changed, and what is said
    ("annotations", {"keypoints": None}, "annotation 1 (a.png): skipped, keypoints must be 3 x 3 numbers"),
    ("annotations", {"keypoints": "10 20 2"}, "keypoints must be 3 x 3 numbers"),
    ("annotations", {"keypoints": [1, 2, 2]}, "got 3 numbers"),
    ("annotations", {"keypoints": {"rim": [1, 2]}}, "keypoints must be 3 x 3 numbers"),
    ("annotations", {"keypoints": [10, 20, 3] * 3}, "v must be 0, 1 or 2, got 3"),
    ("annotations", {"keypoints": [10, 20, "2"] * 3}, "v must be 0, 1 or 2, got '2'"),
    ("annotations", {"keypoints": [10, 20, True] * 3}, "v must be 0, 1 or 2, got True"),
    ("annotations", {"keypoints": [math.nan, 20, 2] * 3}, "no keypoint is left"),
    ("annotations", {"keypoints": [0, 0, 2] * 3}, "is at (0, 0): not used"),
    ("annotations", {"bbox": "5 10 50 30"}, "bbox must be 4 numbers"),
    ("annotations", {"bbox": [5, 10, None, 30]}, "bbox must be 4 numbers"),
    ("annotations", {"bbox": [5, 10, math.nan, 30]}, "bbox must be 4 finite numbers"),
    ("annotations", {"bbox": [5, 10, -50, 30]}, "bbox is empty or turned over"),
    ("annotations", {"bbox": [60, 40, 10, 10]}, "most keypoints lie beside the bbox"),
    ("annotations", {"bbox": [5, 10, 55, 58]}, None),  # slightly beyond the image: a truncated object
    ("annotations", {"bbox": [9, 19, 79, 59]}, "x1, y1, x2, y2? COCO's is x, y, width, height"),
    ("annotations", {"bbox": None}, None),
    ("annotations", {"bbox": []}, None),
    ("annotations", {"image_id": "1"}, None),
    ("annotations", {"image_id": 1.0}, None),
    ("annotations", {"image_id": None}, "image_id None is not in 'images'"),
    ("annotations", {"image_id": 77}, "image_id 77 is not in 'images'"),
    ("annotations", {"image_id": [1]}, "image_id [1] is not in 'images'"),
    ("annotations", {"category_id": "1"}, None),
    ("annotations", {"category_id": None}, "category_id None is of no usable category"),
    ("annotations", {"category_id": {}}, "category_id {} is of no usable category"),
    ("annotations", {"id": None}, None),
    ("annotations", {"iscrowd": None}, None),
    ("annotations", {"keypoints": [0.12, 0.3, 2, 0.5, 0.37, 2, 0.6, 0.5, 1]}, "multiply x by 80 and y by 60"),
    ("annotations", {"keypoints": [100, 20, 2, 400, 22, 2, 50, 30, 2]}, "2 of 3 keypoints are outside"),
    ("annotations", {"keypoints": [[10, 20, 2], [40, 22, 2], [50, 30, 1]]}, None),
    ("images", {"width": None}, None),
    ("images", {"height": "60"}, None),
    ("images", {"width": 640}, "a.png is 80x60 but its annotation says 640x60"),
    ("images", {"width": 60, "height": 80}, "a.png is 80x60 but its annotation says 60x80"),
    ("images", {"id": None}, "image 1: skipped, its 'id' is None"),
    ("images", {"file_name": None}, "image 1: skipped, its 'file_name' is None"),
    ("images", {"file_name": ""}, "image 1: skipped, its 'file_name' is ''"),
    ("images", {"file_name": 7}, "image 1: skipped, its 'file_name' is 7"),
    ("images", {"file_name": "\0"}, "no image"),
    ("images", {"file_name": None, "path": "/datasets/mugs/a.png"}, None),
    ("images", {"id": 2}, "image 2: skipped, two images have this id"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "change", "said"), BROKEN)
def test_what_is_broken_is_skipped_and_named(part, change, said, tmp_path):
    what = made.data_set(tmp_path, made.content(["a.png", "b.png", "c.png"]))
    what[part][0] |= change
    made.write(tmp_path / "labels.json", what)
    dataset = coco.build(tmp_path)
    names, problems = [image.name for image in dataset.images("mug", "trn")], dataset.problems()
    assert names[-1] == "c"
    assert ("a" in names) == (said is None)
    assert any(said in problem for problem in problems) if said else problems == []


def test_lists_that_hold_anything(tmp_path):
    what = made.data_set(tmp_path)
    for part in ("images", "annotations", "categories"):
        what[part] += [None, 3, "x", []]
    made.write(tmp_path / "labels.json", what)
    dataset = coco.build(tmp_path)
    assert [image.name for image in dataset.images("mug", "trn")] == ["a", "b"]
    assert len(dataset.problems()) == 12


@pytest.mark.parametrize(
    ("change", "edges", "said"),
    [
        ({"skeleton": None}, (), None),
        ({"skeleton": [[0, 1], [1, 2]]}, ((0, 1), (1, 2)), None),  # counted from 0
        ({"skeleton": [["rim_left", "handle"]]}, ((0, 2),), None),
        ({"skeleton": [["1", "3"]]}, ((0, 2),), None),
        ({"skeleton": [[1, 2], [2, 4]]}, ((0, 1),), "1 of 2 edges of the skeleton join no two keypoints"),
        ({"skeleton": [[1, 2, 3], None, [1, None]]}, (), "3 of 3 edges"),
        ({"skeleton": "1-2"}, (), "1 of 1 edges"),
        ({"skeleton": [[2, 2]]}, (), "1 of 1 edges"),
    ],
)
def test_a_skeleton_joins_keypoints_there_are(change, edges, said, tmp_path):
    what = made.data_set(tmp_path)
    what["categories"][0] |= change
    made.write(tmp_path / "labels.json", what)
    dataset = coco.build(tmp_path)
    assert dataset.info("mug").edges == edges
    assert said in dataset.problems()[0] if said else not dataset.problems()
    assert len(dataset.images("mug", "trn")) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": None}, "category 1: skipped, its 'name' is None"),
        ({"id": None}, "category 1: skipped, its 'id' is None"),
        ({"keypoints": ["rim", "rim", "base"]}, "must be names, each once"),
        ({"keypoints": ["rim", None, "base"]}, "must be names, each once"),
        ({"keypoints": {"rim": 1}}, "must be names, each once"),
        ({"id": 2}, "category 2: skipped, id 2 is an earlier category's"),
        ({"name": "cup"}, "category 2: skipped, a second category is named 'cup'"),
    ],
)
def test_a_broken_category_costs_only_itself(change, said, tmp_path):
    what = made.data_set(tmp_path)
    what["categories"].append({"id": 2, "name": "cup", "keypoints": ["rim"]})
    what["categories"][0] |= change
    made.write(tmp_path / "labels.json", what)
    assert any(said in problem for problem in coco.build(tmp_path).problems())


def test_a_keypoint_outside_is_forgotten_and_named(tmp_path):
    flat = [10, 20, 2, 40, 22, 2, 90, 30, 2]
    made.data_set(tmp_path, made.content(["a.png"], keypoints=flat, bbox=[5, 10, 74, 30]))
    dataset = coco.build(tmp_path)
    (image,) = dataset.images("mug", "trn")
    assert image.visible.tolist() == [True, True, False]
    assert image.keypoints[2].isnan().all()
    assert (
        "1 of 3 keypoints are outside of the 80x60 image, not used: handle at (90, 30)"
        in dataset.problems()[0]
    )


def test_a_keypoint_on_the_border_of_the_last_pixel_is_inside(tmp_path):
    flat = [10, 20, 2, 40, 60, 2, 80, 30, 2]
    made.data_set(tmp_path, made.content(["a.png"], keypoints=flat, bbox=[5, 10, 75, 50]))
    (image,) = coco.build(tmp_path).images("mug", "trn")
    assert image.keypoints.tolist() == [[10, 20], [40, 59], [79, 30]]


def test_other_files_beside_are_named(tmp_path):
    keypoints = made.content(["m.png"])
    made.picture(tmp_path / "train2017" / "m.png")
    made.write(tmp_path / "annotations" / "person_keypoints_train2017.json", keypoints)
    made.write(tmp_path / "annotations" / "captions_train2017.json", {"images": [], "annotations": []})
    bare = {"id": 1, "name": "mug", "supercategory": "kitchen"}
    made.write(tmp_path / "annotations" / "instances_train2017.json", {**keypoints, "categories": [bare]})
    (tmp_path / "annotations" / "person_keypoints_val2017.json").write_text('{"images": [')
    dataset = coco.build(tmp_path)
    assert len(dataset.images("mug", "trn")) == 1
    told = "\n".join(dataset.problems())
    for said in ("captions_train2017.json: expected", "no category has a list 'keypoints'", "not valid JSON"):
        assert said in told
    (tmp_path / "annotations" / "person_keypoints_train2017.json").unlink()
    with pytest.raises(ValueError, match="captions_train2017"):
        coco.build(tmp_path)


def test_files_agree_on_the_keypoints_of_a_category(tmp_path):
    other = made.content(["b.png"], keypoints=[50, 30, 1, 40, 22, 2, 10, 20, 2])
    other["categories"][0] |= {"keypoints": made.NAMES[::-1], "skeleton": []}
    made.write(tmp_path / "train.json", made.content(["a.png"]))
    made.write(tmp_path / "val.json", other)
    stranger = made.content(["c.png"])
    stranger["categories"][0]["keypoints"] = ["rim", "base", "lid"]
    made.write(tmp_path / "zoo.json", stranger)
    for name in "abc":
        made.picture(tmp_path / "images" / f"{name}.png")
    dataset = coco.build(tmp_path)
    assert dataset.info("mug").keypoint_names == tuple(made.NAMES)
    first, second = (dataset.images("mug", split)[0] for split in ("trn", "val"))
    torch.testing.assert_close(first.keypoints, second.keypoints)
    torch.testing.assert_close(first.visible, second.visible)
    assert "zoo.json: 'mug' skipped, its keypoints are not those" in "\n".join(dataset.problems())


def test_what_is_listed_twice_counts_once(tmp_path):
    made.data_set(tmp_path, made.content(["a.png", "b.png"]))
    made.write(tmp_path / "test.json", made.content(["a.png"], keypoints=[11, 21, 2] * 3))
    what = made.content(["a.png", "b.png"])
    what["annotations"].append(made.mug(9, 2))
    made.write(tmp_path / "labels.json", what)
    dataset = coco.build(tmp_path)
    assert [image.name for image in dataset.images("mug", "trn")] == ["a", "b"]
    assert not dataset.images("mug", "test")
    told = "\n".join(dataset.problems())
    assert "b.png: listed twice, counted once" in told
    assert "a.png: not used in split 'test', it is in 'trn' already" in told
