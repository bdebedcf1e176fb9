"""Strict YAML: nested dataclasses, tuples, and errors that print what is allowed."""

import pytest

from semcorr_ros import config
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.turning import TurningConfig


def test_nested_values_and_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "optimize: {steps: 7, lr: 1}\nobjective: {terms: [depth], schedules: {depth: [[0, 2.5]]}}\n"
    )
    loaded = config.load(AlignmentConfig, path)
    assert (loaded.optimize.steps, loaded.optimize.lr) == (7, 1.0)
    assert loaded.objective.terms == ("depth",)
    assert loaded.objective.schedules.depth == ((0, 2.5),)
    assert loaded.select == AlignmentConfig().select


def test_empty_file_gives_the_defaults(tmp_path):
    (tmp_path / "c.yaml").write_text("")
    assert config.load(AlignmentConfig, tmp_path / "c.yaml") == AlignmentConfig()


def test_unknown_key_lists_the_allowed_ones():
    with pytest.raises(ValueError, match=r"optimize: unknown key 'stepz'; allowed: .*steps"):
        config.from_dict(AlignmentConfig, {"optimize": {"stepz": 1}})


@pytest.mark.parametrize("value", ["many", 1.5])
def test_wrong_type_is_named(value):
    with pytest.raises(ValueError, match=r"steps: expected int"):
        config.from_dict(AlignmentConfig, {"optimize": {"steps": value}})


def test_what_may_be_none_is_read_as_what_it_is_otherwise():
    assert config.from_dict(AlignmentConfig, {"turning": None}).turning is None
    turning = config.from_dict(AlignmentConfig, {"turning": {"step_deg": 5}}).turning
    assert turning == TurningConfig(step_deg=5.0)
    assert config.from_dict(AlignmentConfig, {"evidence": {"around": 1}}).evidence.around == 1.0
    with pytest.raises(ValueError, match=r"config\.turning: unknown key 'steps'"):
        config.from_dict(AlignmentConfig, {"turning": {"steps": 5}})
    with pytest.raises(ValueError, match=r"config\.evidence\.around: expected float, got 'wide'"):
        config.from_dict(AlignmentConfig, {"evidence": {"around": "wide"}})
