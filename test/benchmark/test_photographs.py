"""The benchmark on photographs: test photographs stay out of every training set, and its table adds up."""

import json

import pytest
from PIL import Image

from benchmark.photographs import negatives, report, splits

TRAIN, TEST = tuple(f"t{i:02d}" for i in range(12)), ("x0", "x1")


def test_smaller_training_sets_are_of_the_training_photographs_only():
    found = splits.draws(TRAIN, TEST, 5, 3, seed=0)
    assert [len(split.train) for split in found] == [5, 5, 5]
    assert len({split.train for split in found}) == 3
    assert len({split.name for split in found}) == 3
    for split in found:
        assert set(split.train) <= set(TRAIN)
        assert split.test == TEST
    assert splits.draws(TRAIN, TEST, 5, 3, seed=0) == found
    assert splits.draws(TRAIN, TEST, 5, 3, seed=1) != found


def test_all_photographs_make_one_training_set():
    (only,) = splits.draws(TRAIN, TEST, 12, 3, seed=0)
    assert only.train == TRAIN
    with pytest.raises(ValueError, match="13 training photographs are asked for, the data set has 12"):
        splits.draws(TRAIN, TEST, 13, 3, seed=0)


def test_every_training_photograph_is_the_test_of_one_fold():
    found = splits.folds(TRAIN, 5, seed=0)
    assert sorted(name for split in found for name in split.test) == list(TRAIN)
    for split in found:
        assert not set(split.train) & set(split.test)
        assert sorted(split.train + split.test) == list(TRAIN)
    with pytest.raises(ValueError, match="12 photographs make 2 to 12 folds, not 13"):
        splits.folds(TRAIN, 13, seed=0)


def test_a_split_is_a_folder_data_set_whose_pictures_stay_where_they_are(tmp_path):
    root = tmp_path / "cups"
    root.mkdir()
    entries = [{"file": f"images/{n}.png", "category": "cup", "keypoints": {"rim": [1, 2]}} for n in "abc"]
    strange = {"file": "images/d.png", "category": "bowl", "keypoints": {}}
    content = {"categories": {"cup": {"keypoint_names": ["rim"]}, "bowl": {"keypoint_names": []}}}
    (root / "keypoints.json").write_text(json.dumps(content | {"images": [*entries, strange]}))
    splits.write(splits.Split(("a",), ("c",), 0), root, "cup", tmp_path / "work")
    written = json.loads((tmp_path / "work/keypoints.json").read_text())
    assert list(written["categories"]) == ["cup"]
    assert [(entry["file"], entry["split"]) for entry in written["images"]] == [
        (str(root / "images/a.png"), "trn"),
        (str(root / "images/c.png"), "test"),
    ]


def _result(training, aligned, *photos):
    methods = [
        {"method": name, "pck": {"per_image": {"0.1": value, "0.05": value / 2}}}
        for name, value in (("nearest_neighbor", 0.4), ("window_soft_argmax", 0.5), ("aligned", aligned))
    ]
    shown = [{"pck": {"0.1": pck, "0.05": 0.0}, "confidence": sure} for pck, sure in photos]
    return {"category": "cup", "training": training, "methods": methods, "photos": shown}


def test_the_table_has_means_over_splits_and_counts_what_is_wrong_and_sure():
    results = [
        _result(5, 0.6, (0.2, 0.9), (1.0, 0.9)),
        _result(5, 0.8, (0.4, 0.3), (1.0, 0.4)),
        _result(10, 0.9, (1.0, 0.7)),
    ]
    _, _, five, ten = report.table(results).splitlines()
    expected = "| cup | 5 | 2 | 40.0 / 20.0 | 50.0 / 25.0 | 70.0 / 35.0 | 65.0 / 0.0 | 1 of 4 |"
    assert five == expected
    assert ten.startswith("| cup | 10 | 1 |")
    assert ten.endswith("| 0 of 1 |")


def test_each_negative_serves_either_folds_or_test_and_none_is_of_the_class(tmp_path):
    for label in ("cup", "chair", "."):
        (tmp_path / "any" / label).mkdir(parents=True, exist_ok=True)
        for i in range(8):
            Image.new("RGB", (4, 3)).save(tmp_path / "any" / label / f"{label.strip('.')}{i}.png")
    halves = [negatives.pictures([tmp_path / "any"], "cup", folds) for folds in (True, False)]
    assert all(set(half) == {"any", "chair"} for half in halves)
    for label in ("any", "chair"):
        first, second = (set(half[label]) for half in halves)
        assert not first & second
        assert len(first | second) == 8
    assert "cup" in negatives.pictures([tmp_path / "any"], "laptop", True)
    one = negatives.sample(halves[0]["chair"][0], "chair")
    assert (one.size, one.bbox, one.name[:6]) == ((3, 4), (0.0, 0.0, 4.0, 3.0), "chair_")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: no picture"):
        negatives.pictures([tmp_path / "empty"], "cup", True)


def test_what_is_refused_is_counted_over_all_splits():
    first = _result(5, 0.6, (0.2, 0.4), (1.0, 0.9)) | {"others": {"laptop": [0.05, 0.2], "any": [0.0]}}
    second = _result(5, 0.6, (1.0, 0.12)) | {"others": {"laptop": [0.31, 0.0]}}
    _, _, right, wrong, laptop, other, every = negatives.table([first, second]).splitlines()
    assert right.startswith("| cup | the class, placed right | 2 | 0 % | 50 % | 50 %")
    assert wrong.startswith("| cup | the class, placed wrong | 1 |")
    assert wrong.endswith("| 0.40 | 0.500 |")
    assert laptop.startswith("| cup | laptop | 4 | 50 % | 50 % | 50 % | 75 % | 75 % | 100 % | 100 % | 0.31 |")
    assert other.endswith("| 0.00 | 1.000 |")
    assert every.startswith("| cup | all of these | 5 | 60 %")
    assert every.endswith(f"| {(5 + 3) / 10:.3f} |")
