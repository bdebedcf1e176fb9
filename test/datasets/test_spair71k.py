import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import spair_folder
from PIL import Image

from semcorr_ros.datasets import DATASETS, _class_facts, spair71k

SHARED = Path(os.environ.get("SEMCORR_SHARED", Path(__file__).parents[3] / "shared"))
REAL = SHARED / "data" / "spair71k_annotations"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="no real SPair-71k annotations here")


@pytest.fixture
def folder(tmp_path):
    return spair_folder.write_folder(tmp_path)


def test_is_a_plug_in_and_hides_its_tables():
    assert "spair71k" in DATASETS.names()
    assert not [name for name in DATASETS.names() if name.startswith("_")]


def test_images_of_a_split_are_those_of_its_pairs(folder):
    data = spair71k.build(folder.root)
    assert data.categories() == ["chair"]
    assert [sample.name for sample in data.images("chair", "trn")] == list(folder.names[:2])
    assert [sample.name for sample in data.images("chair", "test")] == list(folder.names[2:])
    assert data.images("chair", "val") == []
    assert data.problems() == []


def test_keypoints_size_and_box(folder):
    sample = spair71k.build(folder.root).images("chair", "trn")[1]
    assert sample.size == (60, 80)
    assert sample.bbox == (10, 10, 50, 50)
    np.testing.assert_array_equal(sample.keypoints, folder.keypoints[1])
    assert sample.visible.tolist() == [True, True, True, False]
    assert (sample.mask_path, sample.depth_path, sample.camera) == (None, None, None)


def test_float_coordinates_and_optional_files(folder):
    name, root = folder.names[0], folder.root
    annotation = spair_folder.image_annotation(name, "chair", folder.keypoints[0])
    annotation["kps"]["0"] = [12.25, 7.5]
    spair_folder.write(root / f"ImageAnnotation/chair/{name}.json", annotation)
    spair_folder.save_image(root / f"Segmentation/chair/{name}.png", np.full((60, 80), 9, np.uint8))
    spair_folder.save_depth_mm(root / f"Depth/chair/{name}.png", np.full((60, 80), 1500))
    K = [[70.0, 0, 41], [0, 72, 29], [0, 0, 1]]
    spair_folder.write(root / f"Cameras/chair/{name}.json", {"K": K})
    sample = spair71k.build(root).images("chair", "trn")[0]
    assert sample.keypoints[0].tolist() == [12.25, 7.5]
    assert sample.mask_path == root / f"Segmentation/chair/{name}.png"
    assert sample.depth_path == root / f"Depth/chair/{name}.png"
    assert sample.camera.focal.tolist() == [70, 72]
    assert sample.camera.principal_point.tolist() == [41, 29]


def test_pairs_hold_common_keypoints_and_difficulty(folder):
    pair = spair71k.build(folder.root).pairs("chair", "trn")[0]
    assert (pair.source, pair.target) == folder.names[:2]
    assert pair.keypoint_ids.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(pair.target_keypoints, folder.keypoints[1, :3])
    assert pair.target_bbox == (10, 10, 50, 50)
    assert pair.difficulty["occlusion"] == 3


def test_info_numbers_the_keypoints_and_knows_spair_flips(folder):
    info = spair71k.build(folder.root).info("chair")
    assert info.keypoint_names == ("0", "1", "2", "3")
    assert info.flip == (1, 0, 3, 2)
    assert not info.flat


def test_a_seen_id_whose_partner_is_unseen_gets_a_row_for_it(tmp_path):
    folder = spair_folder.write_folder(tmp_path, images=2)
    for name in folder.names:
        annotation = spair_folder.image_annotation(name, "chair", folder.keypoints[0, :3])
        spair_folder.write(tmp_path / f"ImageAnnotation/chair/{name}.json", annotation)
    assert spair71k.build(tmp_path).info("chair").flip == (1, 0, 3, 2)


def test_a_foreign_category_has_no_flip_table(tmp_path):
    spair_folder.write_folder(tmp_path, category="mug")
    info = spair71k.build(tmp_path).info("mug")
    assert info.flip is None
    assert len(info.keypoint_names) == 4


def test_every_flip_table_is_made_of_disjoint_pairs():
    assert len(_class_facts.FLIP_PAIRS) == 18
    for category, pairs in _class_facts.FLIP_PAIRS.items():
        ids = [i for pair in pairs for i in pair]
        assert len(ids) == len(set(ids)), category
    assert (15, 25) in _class_facts.FLIP_PAIRS["bus"]
    assert _class_facts.FLIP_PAIRS["aeroplane"][-1] == (20, 21)


ENTRY = {
    "keypoint_names": ["a", "b", "c", "d", "e"],
    "flip": [1, 0, 2, 3, 4],
    "flat": True,
    "edges": [[0, 4]],
}


def test_classes_json_overrides(folder):
    spair_folder.write(folder.root / "classes.json", {"chair": ENTRY})
    data = spair71k.build(folder.root)
    info = data.info("chair")
    assert info.keypoint_names == ("a", "b", "c", "d", "e")
    assert (info.flip, info.flat, info.symmetric, info.edges) == ((1, 0, 2, 3, 4), True, False, ((0, 4),))
    assert data.images("chair", "trn")[0].keypoints.shape == (5, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flip": [1, 0]}, r"the number \(0..4\)"),
        ({"flip": [1, 2, 0, 3, 4]}, "twice"),
        ({"edges": [[0, 5]]}, "edges"),
        ({"keypoint_names": ["a", "b"]}, "id 3 is annotated"),
        ({"keypoint_names": ["a", "a", "b", "c", "d"]}, "not unique"),
        ({"keypoint_names": 3}, "keypoint_names"),
    ],
)
def test_a_wrong_classes_json_says_what_is_wrong(folder, change, message):
    spair_folder.write(folder.root / "classes.json", {"chair": ENTRY | change})
    with pytest.raises(ValueError, match=message):
        spair71k.build(folder.root).info("chair")


def test_without_training_pairs_every_other_image_is_training(folder):
    shutil.rmtree(folder.root / "PairAnnotation" / "trn")
    data = spair71k.build(folder.root)
    assert [sample.name for sample in data.images("chair", "trn")] == list(folder.names[:2])
    assert "no pairs of 'chair'" in data.problems()[0]


def test_the_layout_stands_in_for_missing_pair_files(folder):
    shutil.rmtree(folder.root / "PairAnnotation" / "trn")
    line = f"000001-{folder.names[1]}-{folder.names[1]}:chair\n000002-a-b:car\n"
    (folder.root / "Layout" / "large").mkdir(parents=True)
    (folder.root / "Layout" / "large" / "trn.txt").write_text(line)
    assert [s.name for s in spair71k.build(folder.root).images("chair", "trn")] == [folder.names[1]]


def test_bad_files_are_skipped_and_named(folder):
    first, second = folder.names[:2]
    (folder.root / f"ImageAnnotation/chair/{first}.json").write_text("{broken")
    (folder.root / f"JPEGImages/chair/{second}.jpg").unlink()
    bad_pair = next((folder.root / "PairAnnotation/test").glob("*.json"))
    bad_pair.write_text('{"src_imname": "a.jpg"}')
    data = spair71k.build(folder.root)
    assert data.images("chair", "trn") == []
    assert len(data.pairs("chair", "test")) == 1
    problems = "\n".join(data.problems())
    assert f"{first}.json" in problems
    assert f"{second}.jpg" in problems
    assert bad_pair.name in problems


def test_a_bad_camera_is_ignored_and_named(folder):
    spair_folder.write(folder.root / f"Cameras/chair/{folder.names[0]}.json", {"K": [[1, 2], [3, 4]]})
    data = spair71k.build(folder.root)
    assert data.images("chair", "trn")[0].camera is None
    assert "camera ignored" in data.problems()[0]


def test_wrong_root_category_and_split(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected ImageAnnotation/.*found"):
        spair71k.build(folder.root / "JPEGImages")
    with pytest.raises(FileNotFoundError, match="no folder"):
        spair71k.build(tmp_path / "nowhere")
    data = spair71k.build(folder.root)
    with pytest.raises(ValueError, match="found chair"):
        data.images("cup", "trn")
    with pytest.raises(ValueError, match="trn, val, test"):
        data.pairs("chair", "train")


@needs_real
def test_real_annotations(tmp_path):
    shutil.copytree(REAL, tmp_path / "spair")
    for path in (REAL / "ImageAnnotation").glob("*/*.json"):
        target = tmp_path / "spair" / "JPEGImages" / path.parent.name / f"{path.stem}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(target)
    data = spair71k.build(tmp_path / "spair")
    assert data.categories() == ["aeroplane", "bottle"]
    source, target = data.images("aeroplane", "test")
    assert (source.name, target.size) == ("2008_002719", (332, 500))
    for pair in data.pairs("aeroplane", "test"):
        samples = {s.name: s for s in (source, target)}
        np.testing.assert_array_equal(
            samples[pair.source].keypoints[pair.keypoint_ids], pair.source_keypoints
        )
        both = source.visible & target.visible
        assert both.nonzero()[:, 0].tolist() == pair.keypoint_ids.tolist()
    assert len(data.images("bottle", "trn")) == 2
    assert data.info("aeroplane").flip[4] == 5
