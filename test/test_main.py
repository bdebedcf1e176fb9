"""Dispatch of `python -m semcorr_ros VERB`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semcorr_lab.cli import demo
from semcorr_ros import __main__ as command_line

ROOT = Path(__file__).resolve().parents[1]


def test_overview_lists_every_verb_without_importing_it(capsys):
    imported = set(sys.modules)
    assert command_line.main([]) == 0
    printed = capsys.readouterr().out
    for verb in (
        "align",
        "build_class",
        "demo",
        "evaluate",
        "perceive",
        "scene_camera",
        "synthesize",
        "transfer",
    ):
        line = next(line for line in printed.splitlines() if line.split()[:1] == [verb])
        assert len(line.split()) > 3, f"{verb} does not say what it does"
    assert set(sys.modules) == imported


def test_unknown_verb_names_the_choices(capsys):
    assert command_line.main(["dance"]) == 2
    assert "'dance'" in (error := capsys.readouterr().err)
    assert "build_class" in error


def test_a_mistake_of_the_user_is_one_line(capsys, tmp_path):
    assert command_line.main(["demo", "--weights", str(tmp_path / "none"), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert str(tmp_path / "none") in error


def _row(true_state, error_mm):
    return {"true_state": true_state, "error_mm": error_mm}


@pytest.mark.parametrize(
    ("rows", "median"),
    [
        ([_row("VISIBLE", 3.0), _row("VISIBLE", 9.0), _row("VISIBLE", 5.0), _row("OCCLUDED", 900.0)], 5.0),
        ([_row("VISIBLE", 3.0), _row("VISIBLE", None), _row("VISIBLE", None)], float("inf")),
        ([], float("inf")),
    ],
)
def test_demo_counts_what_is_truly_visible(rows, median):
    assert demo.median_error_mm([{"rows": rows}]) == median


@pytest.mark.parametrize("verb", ["perceive", "align"])
def test_another_python_than_that_of_the_environment_is_named(verb, tmp_path):
    """ROS is sourced, the virtual environment is not: what is missing is torch, not ROS."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    arguments = [] if verb == "perceive" else ["--class-file", "a.safetensors", "--image", "b.png"]
    done = subprocess.run(
        [sys.executable, "-m", "semcorr_ros", verb, *arguments],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "No module named 'torch'" in done.stderr
    assert "activate the virtual environment" in done.stderr
    assert "need ROS 2" not in done.stderr
