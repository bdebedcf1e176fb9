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
    rows = [tables.header([result("mug", 0.875)]), tables.cells(result("mug", 0.875))]
    lines = tables.markdown(rows).splitlines()
    assert lines[0].startswith("| category | method | pairs | PCK@0.1 | @0.05 | @0.01 |")
    assert lines[1].startswith("| --- | --- | ---: |")
    assert lines[2] == "| mug | aligned | 10 | 87.5 | 43.8 | 0.0 | 87.5 | 87.5 | - | - | 1.000 |"
    assert len({line.count("|") for line in lines}) == 1


def test_columns_follow_the_fractions_of_the_threshold():
    row = result("mug", 0.5)
    numbers = {"0.15": 0.75, "0.1": 0.5, "0.05": 0.25}
    row |= {"pck": {"per_image": numbers, "per_keypoint": numbers}, "pck_dagger": numbers}
    assert tables.header([row])[3:6] == ["PCK@0.15", "@0.1", "@0.05"]
    assert tables.cells(row)[3:8] == ["75.0", "50.0", "25.0", "50.0", "50.0"]


def with_breakdown(category, pairs, value, levels):
    row = {**result(category, value), "pairs": pairs, "keypoints": 2 * pairs}
    parts = {level: {"pairs": n, "pck": v} for level, (n, v) in levels.items()}
    geo = {"pairs": pairs, "keypoints": pairs, **row["pck"]}
    return {**row, "geo_aware": geo, "breakdown": {"truncation": parts}}


def test_three_means_are_three_numbers():
    """Per pair, per keypoint and per category: 100 pairs at 1.0 with few keypoints, 300 at 0.5 with many."""
    few, many = (
        with_breakdown("a", 100, 1.0, {"0": (100, 1.0)}),
        with_breakdown("b", 300, 0.5, {"0": (300, 0.5)}),
    )
    many["keypoints"] = 1800
    every, mean = tables.pooled([few, many], "aligned"), tables.macro_mean([few, many], "aligned")
    assert mean["pck"]["per_image"]["0.1"] == pytest.approx(0.75)
    assert every["pck"]["per_image"]["0.1"] == pytest.approx(0.625)
    assert every["pck"]["per_keypoint"]["0.1"] == pytest.approx(0.55)
    assert every["pck_dagger"]["0.1"] == pytest.approx(0.625)
    assert mean["geo_aware"]["pairs"] == every["geo_aware"]["pairs"] == 400
    assert "kap" not in every


def test_breakdown_has_a_row_per_level_and_a_column_per_result():
    rows = [
        with_breakdown("a", 3, 0.5, {"0": (1, 1.0), "2": (2, 0.25)}),
        with_breakdown("b", 4, 0.5, {"0": (3, 0.0), "3": (1, 0.5)}),
    ]
    table = tables.breakdown_rows(rows)
    assert table[0] == ["pairs by", "level", "pairs", "a, aligned", "b, aligned"]
    assert table[1:] == [
        ["truncation", "none", "3", "100.0", "0.0"],
        ["truncation", "target", "2", "25.0", "-"],
        ["truncation", "both", "1", "-", "50.0"],
    ]
    every = tables.breakdown_rows([tables.pooled(rows, "aligned")])
    assert every[:2] == [["pairs by", "level", "pairs", "aligned"], ["truncation", "none", "4", "25.0"]]
    many = with_breakdown("c", 2, 0.5, {"10": (1, 1.0), "2": (1, 0.0)})
    assert [row[1] for row in tables.breakdown_rows([many])[1:]] == ["target", "10"]
    assert tables.breakdown_rows([result("a", 1.0)]) == []


def test_of_several_methods_only_the_one_asked_for_counts():
    rows = [result("a", 0.5, 0.2), {**result("b", 1.0, 0.4), "method": "other"}]
    for mean in (tables.macro_mean(rows, "aligned"), tables.pooled(rows, "aligned")):
        assert (mean["method"], mean["split"], mean["pairs"], mean["keypoints"]) == (
            "aligned",
            "test",
            10,
            50,
        )
        assert mean["pck"]["per_image"] == {"0.1": 0.5, "0.05": 0.25, "0.01": 0.0}
    assert tables.pooled(rows, "aligned")["seconds_per_image"] is None
    assert tables.macro_mean(rows, "aligned")["seconds_per_image"] == 1.0
    assert tables.header([]) == [
        "category", "method", "pairs", "PCK@0.1", "per keypoint", "dagger", "KAP", "geo-aware", "s/image"
    ]  # fmt: skip


def test_every_cell_of_a_full_row():
    row = with_breakdown("a", 7, 0.5, {"0": (7, 1.0)})
    row |= {"kap": {"0.1": 0.123}, "seconds_per_image": None, "pck_dagger": {"0.1": 0.25}}
    row["geo_aware"] = {"per_image": {"0.1": 0.75}}
    assert tables.cells(row) == [
        "a", "aligned", "7", "50.0", "25.0", "0.0", "50.0", "25.0", "12.3", "75.0", "-"
    ]  # fmt: skip


def test_levels_that_some_categories_lack_are_pooled_over_the_others():
    rows = [
        with_breakdown("a", 4, 0.5, {"0": (1, 1.0), "2": (3, 0.5)}),
        with_breakdown("b", 4, 0.5, {"0": (3, 0.2)}),
        {**result("c", 0.5), "pairs": 9},
    ]
    found = tables.pooled(rows, "aligned")["breakdown"]["truncation"]
    assert found["0"] == {"pairs": 4, "pck": pytest.approx(0.4)}
    assert found["2"] == {"pairs": 3, "pck": pytest.approx(0.5)}
    unknown = with_breakdown("d", 2, 0.5, {"0": (2, None)})
    assert tables.pooled([unknown], "aligned")["breakdown"]["truncation"]["0"] == {"pairs": 2, "pck": None}


def test_text_is_aligned_to_the_left_and_numbers_to_the_right():
    lines = tables.markdown([["name", "x", "y"], ["a", "1.0", "-"], ["b", "2", "c"]]).splitlines()
    assert lines[1] == "| --- | ---: | --- |"
