"""Every data set format on a small fabricated root: contract, splits, pairs, and what is wrong with it."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image
from scipy.io import savemat

from semcorr_ros.datasets import DATASETS, ap10k, awa_pose, coco, folder, freiburg_cars, pf_pascal

SHARED = Path(os.environ.get("SEMCORR_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def picture(path: Path, size=(60, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0])).save(path)


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def folder_root(root: Path) -> Path:
    images = []
    for name, split in (("a", "trn"), ("b", "trn"), ("c", "test"), ("d", "test"), ("e", "test")):
        picture(root / "images" / f"{name}.png")
        points = {"rim": [10, 20], "base": None if name == "c" else [30.5, 40]}
        images.append({"file": f"images/{name}.png", "category": "mug", "split": split, "keypoints": points})
    categories = {"mug": {"keypoint_names": ["rim", "base"], "flip": [0, 1]}}
    write(root / "keypoints.json", {"categories": categories, "images": images})
    return root


def coco_content(names=("left_eye", "right_eye", "nose"), count=3, category="antelope") -> dict:
    keypoints = [10, 12, 2, 0, 0, 0, 30, 40, 2]
    return {
        "categories": [
            {"id": 1, "name": category, "supercategory": "Bovidae", "keypoints": names, "skeleton": [[1, 3]]}
        ],
        "images": [{"id": i, "file_name": f"{i:012d}.jpg", "width": 80, "height": 60} for i in range(count)],
        "annotations": [
            {"id": 9, "image_id": i, "category_id": 1, "bbox": [5, 6, 40, 50], "keypoints": keypoints}
            for i in range(count)
        ],
    }


def coco_root(root: Path) -> Path:
    write(root / "train.json", coco_content())
    for i in range(3):
        picture(root / "images" / f"{i:012d}.jpg")
    return root


def ap10k_root(root: Path, per_species=54) -> Path:
    merged: dict = {"categories": [], "images": [], "annotations": []}
    points = [v for i in range(4) for v in (10 + i, 20 + 2 * i, 2)] + [0] * 39
    for species, (name, family) in enumerate(
        (("antelope", "Bovidae"), ("cow", "Bovidae"), ("fox", "Canidae"))
    ):
        entry = coco_content(tuple(f"k{i}" for i in range(17)), 0, name)["categories"][0]
        merged["categories"].append(entry | {"id": species, "supercategory": family})
        for i in range(per_species):
            number = 100 * species + i
            file = f"{number:012d}.jpg"
            picture(root / "data" / file)
            merged["images"].append({"id": number, "file_name": file, "width": 80, "height": 60})
            common = {"image_id": number, "category_id": species, "bbox": [1, 2, 30, 40]}
            merged["annotations"].append({**common, "keypoints": points, "num_keypoints": 4})
    write(root / "annotations" / "ap10k-train-split1.json", merged)
    (root / "ap-10k_is_crowd.txt").write_text("000000000000\n")
    return root


def pf_pascal_root(root: Path) -> Path:
    for name in "abc":
        picture(root / "JPEGImages" / f"{name}.jpg")
        points = torch.tensor([[1.0, 2.0], [float("nan")] * 2, [30.0, 40.0]])
        (root / "Annotations" / "aeroplane").mkdir(parents=True, exist_ok=True)
        savemat(root / "Annotations" / "aeroplane" / f"{name}.mat", {"kps": points.numpy()})
    where = "PF-dataset-PASCAL/JPEGImages"
    (root / "test_pairs.csv").write_text(
        "source_image,target_image,class,XA,YA,XB,YB\n"
        f"{where}/a.jpg,{where}/b.jpg,1,1.5;2.5,3;4,5;6,7;8\n"
        f"{where}/a.jpg,{where}/missing.jpg,1,1,2,3,4\n"
    )
    (root / "train_pairs.csv").write_text(
        f"source_image,target_image,class,flip\n{where}/b.jpg,{where}/c.jpg,1,0\n"
    )
    return root


def awa_root(root: Path) -> Path:
    for i in range(3):
        picture(root / "JPEGImages" / "cow" / f"cow_{i}.jpg")
        animal = {part: [10.0 + i, 20.0] for part in awa_pose.PARTS} | {
            "nose": [-1, -1],
            "bbox": [1, 2, 50, 55],
        }
        path = root / "Annotations" / "cow" / f"cow_{i}.pickle"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps({"a1": animal}))
    return root


def freiburg_root(root: Path) -> Path:
    for car in range(3):
        lines = []
        for frame in range(2):
            picture(root / "images" / f"car_{car:02d}" / f"{frame:04d}.png")
            lines.append(f"car_{car:02d}/{frame:04d}.jpg 5 6 50 55 {90 * frame}")
        path = root / "annotations" / f"{car}_annot.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return root


ROOTS = {
    "folder": folder_root,
    "coco": coco_root,
    "ap10k": ap10k_root,
    "pf_pascal": pf_pascal_root,
    "awa_pose": awa_root,
    "freiburg_cars": freiburg_root,
}


def test_every_format_is_covered():
    assert {*DATASETS.names()} == {*ROOTS, "spair71k"}


@pytest.mark.parametrize("name", ROOTS)
def test_contract(name, tmp_path):
    dataset = DATASETS.load(name).build(ROOTS[name](tmp_path))
    for category in dataset.categories():
        count = len(dataset.info(category).keypoint_names)
        for split in ("trn", "val", "test"):
            images = {image.name: image for image in dataset.images(category, split)}
            assert list(images) == sorted(images)
            for image in images.values():
                assert image.image_path.is_file()
                assert image.keypoints.shape == (count, 2)
                assert not (image.visible & ~torch.isfinite(image.keypoints).all(-1)).any()
            for pair in dataset.pairs(category, split):
                assert {pair.source, pair.target} <= set(images)
                assert len(pair.keypoint_ids) == len(pair.source_keypoints) == len(pair.target_keypoints) > 0
    with pytest.raises(ValueError, match="no category 'dragon'"):
        dataset.images("dragon", "trn")
    with pytest.raises(ValueError, match="unknown split"):
        dataset.pairs(dataset.categories()[0], "train")


@pytest.mark.parametrize("name", [*ROOTS, "spair71k"])
def test_wrong_root_is_named(name, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises((FileNotFoundError, ValueError), match=r"holiday\.jpg|expected"):
        DATASETS.load(name).build(tmp_path)


def test_folder_pairs_and_defaults(tmp_path):
    dataset = folder.build(folder_root(tmp_path))
    pairs = {(p.source, p.target): p for p in dataset.pairs("mug", "test")}
    assert set(pairs) == {(a, b) for a in "cde" for b in "cde" if a != b}
    assert pairs["c", "d"].keypoint_ids.tolist() == [0]
    image = dataset.images("mug", "trn")[0]
    assert image.bbox == pytest.approx((7.95, 17.95, 32.55, 42.05))
    assert image.size == (60, 80)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category": "cup"}, "category 'cup' is not one of mug"),
        ({"file": "images/none.png"}, "no image"),
        ({"split": "training"}, "unknown split 'training'"),
        ({"keypoints": {"handle": [1, 2]}}, "unknown keypoint 'handle'"),
        ({"keypoints": [[1, 2]]}, "1 keypoints for the 2 names"),
        ({"keypoints": {"rim": [1, "x"]}}, "image images/a.png: skipped, keypoint 'rim' must be 2 numbers"),
        ({"keypoints": {"rim": ["1", "2"]}}, "must be 2 numbers"),
        ({"keypoints": {"rim": "12"}}, "must be 2 numbers"),
        ({"keypoints": {"rim": [True, False]}}, "must be 2 numbers"),
        ({"keypoints": {"rim": [1, 10**400]}}, "must be 2 finite numbers"),
        ({"keypoints": {"rim": [1, 2, 2]}}, "must be 2 finite numbers"),
        ({"mask": "masks/none.png"}, "no mask"),
        ({"category": ["mug"]}, "category ['mug'] is not one of mug"),
        ({"category": None}, "category None is not one of mug"),
        ({"split": ["trn"]}, "unknown split ['trn']"),
        ({"file": None}, "expected an object with 'file'"),
        ({"file": "images"}, "no image"),
        ({"keypoints": {"rim": [0.1, 0.5], "base": [0.5, 0.75]}}, "multiply x by 80 and y by 60"),
        ({"keypoints": {"rim": [100, 20], "base": [300, 40]}}, "2 of 2 keypoints are outside of the 80x60"),
        ({"bbox": [10, 20, 5, 40]}, "bbox is empty or turned over: its numbers must be x1, y1, x2, y2"),
        ({"bbox": [60, 2, 70, 10]}, "most keypoints lie beside the bbox"),
    ],
)
def test_folder_skips_a_bad_image_and_says_why(change, message, tmp_path):
    root = folder_root(tmp_path)
    content = json.loads((root / "keypoints.json").read_text())
    content["images"][0] |= change
    write(root / "keypoints.json", content)
    dataset = folder.build(root)
    assert [image.name for image in dataset.images("mug", "trn")] == ["b"]
    assert message in dataset.problems()[0]


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (
            {"mug": {"keypoint_names": ["rim", "base"], "flip": [0]}},
            r"keypoints\.json, 'mug': flip must list",
        ),
        ({" ": {"keypoint_names": ["rim"]}}, "a category needs a name"),
        ({"mug": {"keypoint_names": ["rim", None]}}, "keypoint_names must be names"),
        ({"mug": {"keypoint_names": ["rim", "base"], "flip": [[0], 1]}}, "flip must list"),
        ({"mug": {"keypoint_names": ["rim", "base"], "edges": [1, 2]}}, "edges must be pairs of ids"),
        ({"mug": {"keypoint_names": ["rim", "base"], "edges": [[0, 2]]}}, "edges must be pairs of ids 0..1"),
        ({"mug": None}, "expected an object with a list 'keypoint_names'"),
    ],
)
def test_folder_names_its_own_file_where_a_category_is_wrong(categories, message, tmp_path):
    root = folder_root(tmp_path)
    content = json.loads((root / "keypoints.json").read_text())
    write(root / "keypoints.json", content | {"categories": categories})
    with pytest.raises(ValueError, match=message):
        folder.build(root)


def test_a_photograph_with_exif_is_as_large_as_it_is_shown(tmp_path):
    root, exif = folder_root(tmp_path), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(root / "images" / "a.png", exif=exif)
    assert folder.build(root).images("mug", "trn")[0].size == (80, 60)


def test_folder_forgets_a_keypoint_outside_and_names_it(tmp_path):
    root = folder_root(tmp_path)
    content = json.loads((root / "keypoints.json").read_text())
    content["images"][0]["keypoints"] = {"rim": [10, 20], "base": [90, 40]}
    write(root / "keypoints.json", content)
    dataset = folder.build(root)
    image = dataset.images("mug", "trn")[0]
    assert image.visible.tolist() == [True, False]
    assert image.keypoints[1].isnan().all()
    assert dataset.problems() == [
        "keypoints.json, image images/a.png: 1 of 2 keypoints are outside of the 80x60 image, not used: "
        "base at (90, 40)"
    ]


def test_folder_takes_equal_stems_windows_paths_and_several_objects(tmp_path):
    root = folder_root(tmp_path)
    picture(root / "more" / "a.png")
    content = json.loads((root / "keypoints.json").read_text())
    first = content["images"][0] | {"mask": None, "bbox": None}
    other = first | {"keypoints": {"rim": [50, 20]}}
    content["images"] += [first | {"file": r"more\a.png"}, other, first]
    for name in ("a", "more/a"):
        picture(root / "masks" / f"{name}.png")
    write(root / "keypoints.json", content)
    dataset = folder.build(root)
    images = {image.name: image for image in dataset.images("mug", "trn")}
    assert [*images] == ["b", "images/a#1", "images/a#2", "more/a"]
    assert [image.picture for image in images.values()] == ["b", "images/a", "images/a", "more/a"]
    assert images["images/a#2"].keypoints[0].tolist() == [50, 20]
    assert images["images/a#1"].mask_path is None  # of which of the two objects?
    assert images["more/a"].mask_path == root / "masks" / "more" / "a.png"
    assert dataset.problems() == ["a.png: listed twice, counted once"]


@pytest.mark.parametrize("pairs", [3, {"a": "b"}, "ab"])
def test_folder_pairs_that_are_no_list_are_named(pairs, tmp_path):
    root = folder_root(tmp_path)
    content = json.loads((root / "keypoints.json").read_text())
    write(root / "keypoints.json", content | {"pairs": pairs})
    dataset = folder.build(root)
    assert len(dataset.pairs("mug", "test")) == 6
    assert "'pairs' must list [name, name]" in dataset.problems()[0]


def test_folder_listed_pairs(tmp_path):
    root = folder_root(tmp_path)
    content = json.loads((root / "keypoints.json").read_text())
    write(root / "keypoints.json", content | {"pairs": [["d", "e"], ["a", "e"]]})
    dataset = folder.build(root)
    assert [(p.source, p.target) for p in dataset.pairs("mug", "test")] == [("d", "e")]
    assert "pair ['a', 'e']" in dataset.problems()[0]


def test_folder_pairs_of_images_that_are_named_by_numbers(tmp_path):
    root = folder_root(tmp_path)
    content = json.loads((root / "keypoints.json").read_text())
    for entry, name in zip(content["images"], ("a", "b", "c", "4", "5"), strict=True):
        picture(root / "images" / f"{name}.png")
        entry["file"] = f"images/{name}.png"
    write(root / "keypoints.json", content | {"pairs": [[4, 5]]})
    assert [(p.source, p.target) for p in folder.build(root).pairs("mug", "test")] == [("4", "5")]


def test_coco_reads_sides_and_boxes(tmp_path):
    dataset = coco.build(coco_root(tmp_path))
    info = dataset.info("antelope")
    assert info.flip == (1, 0, 2)
    assert info.edges == ((0, 2),)
    image = dataset.images("antelope", "trn")[0]
    assert image.visible.tolist() == [True, False, True]
    assert image.bbox == (5.0, 6.0, 45.0, 56.0)


def test_ap10k_splits_and_crossings(tmp_path):
    dataset = ap10k.build(ap10k_root(tmp_path))
    sizes = {split: len(dataset.images("antelope", split)) for split in ("trn", "val", "test")}
    assert sizes == {"trn": 3, "val": 20, "test": 30}  # 54 without the crowd
    assert len(dataset.pairs("antelope", "test")) == 30 * 29 // 2
    assert {*dataset.categories()} == {"antelope", "cow", "fox", "family:Bovidae", "all"}
    assert len(dataset.pairs("family:Bovidae", "val")) == 400
    across = dataset.pairs("family:Bovidae", "test")
    assert len(across) == 900
    assert all((int(p.source) < 100) != (int(p.target) < 100) for p in across)
    assert len(dataset.pairs("all", "test")) == 30
    assert not dataset.pairs("all", "trn")


def test_pf_pascal_takes_listed_coordinates(tmp_path):
    dataset = pf_pascal.build(pf_pascal_root(tmp_path))
    (pair,) = dataset.pairs("aeroplane", "test")
    torch.testing.assert_close(pair.source_keypoints, torch.tensor([[1.5, 3.0], [2.5, 4.0]]))
    (trained,) = dataset.pairs("aeroplane", "trn")
    assert trained.keypoint_ids.tolist() == [0, 2]
    assert "line 3: skipped, no image" in dataset.problems()[0]


class Attack:
    def __reduce__(self):
        return (os.mkdir, ("attacked",))


def test_awa_never_runs_what_a_pickle_asks_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = awa_root(tmp_path)
    (root / "Annotations" / "cow" / "cow_0.pickle").write_bytes(pickle.dumps({"a1": Attack()}))
    dataset = awa_pose.build(root)
    assert not (tmp_path / "attacked").exists()
    assert "mkdir" in dataset.problems()[0]
    image = dataset.images("cow", "test")[0]
    nose, eye = (awa_pose.PARTS.index(part) for part in ("nose", "left_eye"))
    assert not image.visible[nose]
    assert image.keypoints[eye].tolist() == [12.0, 20.0]
    assert dataset.info("cow").flip[eye] == awa_pose.PARTS.index("right_eye")


def test_awa_listed_pairs_are_the_test(tmp_path):
    root = awa_root(tmp_path)
    (root / "random_pairs.txt").write_text("cow/cow_0.jpg cow/cow_2.jpg\n")
    dataset = awa_pose.build(root)
    assert [(p.source, p.target) for p in dataset.pairs("cow", "test")] == [("cow_0", "cow_2")]
    assert [image.name for image in dataset.images("cow", "trn")] == ["cow_1"]


def test_freiburg_splits_by_car(tmp_path):
    root = freiburg_root(tmp_path)
    (root / "annotations" / "0_annot.txt").open("a").write("car_00/0009.jpg 1 2 3 4 5\n")
    dataset = freiburg_cars.build(root)
    assert {image.name[:6] for image in dataset.images("car", "trn")} == {"car_00", "car_01"}
    assert {image.name[:6] for image in dataset.images("car", "test")} == {"car_02"}
    assert "line 3: skipped" in dataset.problems()[0]


@pytest.mark.skipif(not (SHARED / "ap10k").is_dir(), reason="needs the real AP-10K sample")
def test_real_ap10k_annotation():
    dataset = coco.build(SHARED / "ap10k")
    images = {i.name: i for c in dataset.categories() for i in dataset.images(c, "test")}
    image = images["000000037516"]
    torch.testing.assert_close(image.keypoints[0], torch.tensor([134.0, 415.0]))
    assert image.bbox == (66.0, 192.0, 1158.0, 704.0)


@pytest.mark.skipif(not (SHARED / "awa_pose_annotations").is_dir(), reason="needs real AwA-Pose files")
def test_real_awa_pickles_are_plain():
    paths = sorted((SHARED / "awa_pose_annotations" / "Annotations").glob("*/*.pickle"))
    for path in paths:
        with path.open("rb") as file:
            assert {*awa_pose.read_plain_pickle(file)["a1"]} >= {*awa_pose.PARTS}


@pytest.mark.skipif(not (SHARED / "pf_pascal_csv").is_dir(), reason="needs the real PF-PASCAL lists")
def test_real_pf_pascal_lists(tmp_path):
    for word in ("train", "val", "test"):
        (tmp_path / f"{word}_pairs.csv").write_bytes(
            (SHARED / "pf_pascal_csv" / f"{word}_pairs.csv").read_bytes()
        )
    for name in ("2011_001407", "2010_004184"):
        picture(tmp_path / "JPEGImages" / f"{name}.jpg")
    dataset = pf_pascal.build(tmp_path)
    pair = next(p for p in dataset.pairs("aeroplane", "test") if p.source == "2011_001407")
    assert len(pair.keypoint_ids) == 11


def test_freiburg_tells_eighths_of_a_turn(tmp_path):
    images = freiburg_cars.build(freiburg_root(tmp_path)).images("car", "trn")
    assert [image.azimuth_id for image in images] == [0, 2, 0, 2]
