"""The benchmark's own arithmetic, and that its features are what it says they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.rendered import arguments, confidence, measures, report, runs, scenes
from benchmark.rendered.splits import HELD_OUT, TEST, TRAIN, VALIDATION
from benchmark.rendered.variants import CHOICES, table4, variants
from semcorr_lab.synthetic.dataset import jobs, picture
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.methods.semalign3d.alignment.objective import SCHEDULE_OF_TERM
from semcorr_ros.methods.semalign3d.alignment.presets import preset


def test_roc_auc_counts_ties_half():
    assert measures.roc_auc([0.9, 0.5], [0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert np.isnan(measures.roc_auc([], [0.1]))


def test_roc_curve_ends_at_one_and_passes_the_perfect_corner():
    curve = confidence.roc_curve([0.8, 0.9], [0.1, 0.2])
    assert curve[0] == (0.0, 0.0)
    assert curve[-1] == (1.0, 1.0)
    assert (0.0, 1.0) in curve


def test_calibration_bins_hold_every_image():
    bins = measures.calibration([0.05, 0.15, 0.95, 1.0], [False, True, True, True])
    assert bins == [
        (pytest.approx(0.1), 0.5, 2),
        (pytest.approx(0.975), 1.0, 2),
    ]


@pytest.mark.parametrize("form", ["aligned", "paper"])
@pytest.mark.parametrize("suffix", ["", ", camera unknown"])
def test_every_ablation_differs_from_its_form_in_one_place(form, suffix):
    rows = variants("bottle")
    whole = rows[f"{form}{suffix}"]
    assert whole.camera == (suffix == "")
    for term in SCHEDULE_OF_TERM:
        if term != "symmetry":
            less = rows[f"{form} without {term}{suffix}"]
            assert set(SCHEDULE_OF_TERM) - set(less.config.objective.terms) == {term}
            objective = replace(less.config.objective, terms=whole.config.objective.terms)
            assert replace(less, config=replace(less.config, objective=objective)) == whole


def test_table_4_compares_the_papers_form_with_ours():
    rows = variants("bottle")
    assert set(table4()) | set(CHOICES) <= set(rows)
    assert rows["paper"].config == preset("paper", "bottle")
    assert rows["aligned"].config == preset("fast")
    assert rows["paper, matched as ours"].config.matching == preset("fast").matching
    assert not rows["without depth sensor"].depth


def test_noise_is_reproducible_and_as_strong_as_said():
    clean = torch.zeros(60, 60, 64)
    clean[..., 0] = 3.0
    noise = scenes.Noise(0.05, 0.0)
    got = scenes.with_noise(clean, noise, torch.Generator().manual_seed(1))
    again = scenes.with_noise(clean, noise, torch.Generator().manual_seed(1))
    torch.testing.assert_close(got, again)
    torch.testing.assert_close(got.norm(dim=-1), torch.ones(60, 60))
    expected = (1 + 64 * 0.05**2) ** -0.5  # cosine to the clean feature
    assert got[..., 0].mean() == pytest.approx(expected, abs=0.01)


def test_macro_mean_needs_every_category():
    row = {"pck": {"per_image": {"0.1": 0.5}}}
    assert report.macro([row, {"pck": {"per_image": {"0.1": 1.0}}}], "0.1") == 0.75
    assert report.macro([row, {"pck": {"per_image": {"0.1": None}}}], "0.1") is None


def test_confidence_picture_is_written(tmp_path):
    numbers = {
        "good : both": 1.0,
        "roc": [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)],
        "calibration": [(0.1, 0.0, 3)],
    }
    report.draw_confidence(tmp_path / "plot.png", {"oracle": numbers})
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_no_object_picture_or_noise_is_in_two_splits():
    source, seen, noise = ProceduralSource(("mug",)), [], []
    for split in (TRAIN, VALIDATION, TEST):
        made = split.pictures(2, 3)
        found = jobs(source, made)
        assert [job.stem for job in found] == [f"{split.spair}_0000", f"{split.spair}_0001"]
        instance, rendering = picture(source, made, found[0])
        seen.append((instance.keypoints, rendering.camera_from_object))
        noise.append(torch.randn(4, generator=scenes.noise_draws(split.seed, found[0], "oracle", False)))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert all(not np.allclose(a, b, atol=1e-4) for a, b in zip(seen[i], seen[j], strict=True))
        assert not torch.allclose(noise[i], noise[j])
    assert len({split.seed for split in (TRAIN, VALIDATION, TEST)}) == 3


def test_noise_of_a_file_is_its_own():
    job = jobs(ProceduralSource(("mug",)), TRAIN.pictures(1))[0]
    draws = [
        torch.randn(4, generator=scenes.noise_draws(20, job, setting, mirrored))
        for setting in scenes.NOISE
        for mirrored in (False, True)
    ]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4
    torch.testing.assert_close(
        draws[0], torch.randn(4, generator=scenes.noise_draws(20, job, "oracle", False))
    )


def test_splits_share_classes_and_nothing_else(tmp_path):
    places = [runs.Place(tmp_path, "mug", "oracle", split) for split in (VALIDATION, TEST)]
    assert len({place.class_file for place in places}) == 1
    for what in ("folder", "truth", "answers"):
        assert len({getattr(place, what) for place in places}) == 2
    assert len({place.features(place.split) for place in places}) == 2
    assert len({place.data(place.split) for place in places}) == 2


def test_nobody_looks_at_the_test_split_by_accident(monkeypatch, capsys):
    def parsed(*given):
        monkeypatch.setattr("sys.argv", ["benchmark.rendered", *given])
        return arguments.parse("")

    assert parsed().split == VALIDATION
    assert parsed("--split", "test").split == TEST
    assert TEST.label == f"test_{TEST.seed}"
    with pytest.raises(SystemExit):
        parsed("--split", "train")
    message = capsys.readouterr().err
    assert all(name in message for name in HELD_OUT)


def _row(method, *images, setting="tiny"):
    shown = [{"confidence": sure, "pck": pck} for sure, pck in images]
    return {"setting": setting, "method": method, "per_image": shown}


def test_confidence_counts_every_row_that_a_robot_meets_and_no_other():
    rows = [
        _row("aligned", (0.9, 1.0), (0.2, 0.4)),
        _row("masks by attention", (0.8, 0.5), (0.05, 0.0)),
        _row("masks by attention", (0.7, 1.0)),
        _row("without depth", (0.0, 1.0)),
        _row("aligned", (0.1, 1.0), setting="oracle"),
        {"setting": "tiny", "method": "nearest_neighbor"},
    ]
    found = confidence.collect(rows, {"masks by attention": [0.3, 0.01]}, "tiny")
    assert list(found) == ["aligned", "masks by attention", "together"]
    assert found["aligned"] == confidence.Confidences((0.9,), (0.2,), ())
    assert found["together"] == confidence.Confidences((0.9, 0.8, 0.7), (0.2, 0.05), (0.3, 0.01))
    assert list(confidence.collect(rows, {}, "oracle")) == ["aligned"]
    numbers = confidence.summary(found["together"], 0.1)
    assert (numbers["good"], numbers["bad"], numbers["other class"]) == (3, 2, 2)
    assert numbers["good : both"] == 1.0
    assert (numbers["bad refused"], numbers["other refused"], numbers["good refused"]) == (0.5, 0.5, 0.0)
    line = confidence.table({"tiny": {"together": numbers}}).splitlines()[-1]
    assert line.startswith("| tiny | together | 3 | 2 | 2 | 1.000 | 1.000 | 1.000 | 0.100 | 0 % | 50 %")


def test_pictures_without_the_object_are_counted_at_each_threshold():
    text = confidence.empty_line([0.05, 0.1, 0.4], (0.1, 0.5))
    assert text.startswith("3 pictures without the object, no mask: 1 refused at 0.1, 3 refused at 0.5")
    assert confidence.empty_line([], (0.1,)) == ""


def test_poses_turned_the_wrong_way_are_counted_by_category():
    angles, row = (2.0, 26.0, 170.0), {"setting": "tiny", "method": "aligned", "category": "mug"}
    row["per_image"] = [{"rotation_deg": angle, "position_mm": 4.0} for angle in angles]
    lines = report.images_table([row, row | {"method": "paper"}], "tiny").splitlines()
    assert lines[2:] == ["| mug | 3 | 2 | 26.0 | 4.0 |"]
    assert report.images_table([row], "oracle") == ""
