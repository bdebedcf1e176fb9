import pytest

from semcorr_ros.evaluation import tables


def result(category, value, kap=None):
    numbers = {"0.1": value, "0.05": value / 2, "0.01": 0.0}
    row = {
        "category": category,
        "method": "aligned",
        "split": "test",
        "pairs": 10,
        "keypoints": 50,
        "pck": {"per_image": numbers, "per_keypoint": numbers},
        "pck_dagger": numbers,
        "seconds_per_image": 1.0,
    }
    return row if kap is None else {**row, "kap": {"0.1": kap}}


def test_macro_mean_counts_each_category_once():
    rows = [result("a", 0.5, 0.2), {**result("b", 1.0, 0.4), "pairs": 1000}]
    mean = tables.macro_mean(rows, "aligned")
    assert mean["category"] == "mean"
    assert mean["pairs"] == 1010
    assert mean["pck"]["per_image"]["0.1"] == pytest.approx(0.75)
    assert mean["kap"]["0.1"] == pytest.approx(0.3)


def test_a_number_one_category_lacks_has_no_mean():
    mean = tables.macro_mean([result("a", 0.5, 0.2), result("b", 1.0)], "aligned")
    assert "kap" not in mean
    undefined = result("c", 1.0)
    undefined["pck_dagger"] = {"0.1": None, "0.05": None, "0.01": None}
    assert tables.macro_mean([result("a", 0.5), undefined], "aligned")["pck_dagger"]["0.1"] is None


def test_markdown_has_a_row_per_result():
    lines = tables.markdown([result("mug", 0.875)]).splitlines()
    assert len(lines) == 3
    assert lines[2] == "| mug | aligned | 10 | 87.5 | 43.8 | 0.0 | 87.5 | 87.5 | - | - | 1.000 |"
    assert len({line.count("|") for line in lines}) == 1
