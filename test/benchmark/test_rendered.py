"""The benchmark's own arithmetic, and that its features are what it says they are."""

import numpy as np
import pytest
import torch

from benchmark.rendered import measures, report, scenes
from benchmark.rendered.variants import variants
from semcorr_ros.methods.semalign3d.alignment.objective import SCHEDULE_OF_TERM


def test_roc_auc_counts_ties_half():
    assert measures.roc_auc([0.9, 0.5], [0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert np.isnan(measures.roc_auc([], [0.1]))


def test_roc_curve_ends_at_one_and_passes_the_perfect_corner():
    curve = report.roc_curve([0.8, 0.9], [0.1, 0.2])
    assert curve[0] == (0.0, 0.0)
    assert curve[-1] == (1.0, 1.0)
    assert (0.0, 1.0) in curve


def test_calibration_bins_hold_every_image():
    bins = measures.calibration([0.05, 0.15, 0.95, 1.0], [False, True, True, True])
    assert bins == [
        (pytest.approx(0.1), 0.5, 2),
        (pytest.approx(0.975), 1.0, 2),
    ]


def test_every_ablation_differs_from_ours_in_one_place():
    rows = variants("mug")
    for term in SCHEDULE_OF_TERM:
        if term != "symmetry":
            kept = rows[f"without {term}"].config.objective.terms
            assert set(SCHEDULE_OF_TERM) - set(kept) == {term}
    assert rows["paper"].config != rows["aligned"].config
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
        "auc_good_rest": 1.0,
        "roc": [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)],
        "calibration": [(0.1, 0.0, 3)],
    }
    report.draw_confidence(tmp_path / "plot.png", {"oracle": numbers})
    assert (tmp_path / "plot.png").stat().st_size > 1000
