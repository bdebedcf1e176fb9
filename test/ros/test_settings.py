"""config/perceive.yaml and the parameters name the same things; what may be changed, and when."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest
import yaml
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from ros.conftest import call

from semcorr_ros.ros.parameters import ALWAYS, NEVER, UNCONFIGURED, Parameters, check

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = yaml.safe_load((ROOT / "config/perceive.yaml").read_text())["/**"]


def test_the_shipped_file_holds_the_defaults():
    shipped = SHIPPED["semcorr"]["ros__parameters"]
    defaults = {
        item.name: [""] if isinstance(item.default, tuple) else item.default
        for item in dataclasses.fields(Parameters)
    }
    assert shipped == defaults
    assert {name: type(value) for name, value in shipped.items()} == {
        name: type(value) for name, value in defaults.items()
    }


def test_every_parameter_says_what_it_is_and_when_it_may_be_changed():
    for item in dataclasses.fields(Parameters):
        assert item.metadata["doc"]
        assert item.metadata["change"] in (ALWAYS, UNCONFIGURED, NEVER)


def test_nan_is_no_setting():
    with pytest.raises(ValueError, match="min_score must be a number"):
        check(Parameters(min_score=float("nan")))


def test_a_wrong_choice_names_the_allowed_ones():
    with pytest.raises(ValueError, match=r"auto, required, none, got 'maybe'"):
        check(Parameters(depth="maybe"))


def test_parameters_can_be_read_and_changed_within_limits(start, ros):
    node = start(
        "perceive",
        {
            "backbone": "fabricated",
            "seed": "7",
            "__node": "tuned",
            "__params": str(ROOT / "config/perceive.yaml"),
        },
    )

    def change(name: str, value: object):
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return call(ros, SetParameters, "/tuned/set_parameters", request).results[0]

    values = call(ros, GetParameters, "/tuned/get_parameters", GetParameters.Request(names=["seed"])).values
    assert values[0].integer_value == 7
    assert change("min_score", 0.3).successful
    assert not change("min_score", 3.0).successful
    rejected = change("seed", 8)
    assert not rejected.successful
    assert "seed can only be changed while the node is unconfigured" in rejected.reason
    assert not change("autostart", False).successful
    kept = call(ros, GetParameters, "/tuned/get_parameters", GetParameters.Request(names=["seed"])).values
    assert kept[0].integer_value == 7
    assert change("active_classes", ["pear"]).successful
    status, output = node.stop(signal.SIGTERM)
    assert status == 0, output
