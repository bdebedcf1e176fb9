"""config/perceive.yaml and the parameters name the same things; what may be changed, and when."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest
import rclpy
import yaml
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from methods.semalign3d.alignment import fabricated
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python
from ros.conftest import UP_TIME, call
from semcorr_ros.srv import ListClasses, LoadClass

from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.options import ALWAYS, NEVER, UNCONFIGURED
from semcorr_ros.ros.parameters import Parameters, check

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


def test_the_shipped_file_holds_the_defaults_of_the_simulated_camera():
    scene_camera = pytest.importorskip("semcorr_lab.demo.scene_camera", reason="needs the extra synthetic")
    defaults = {item.name: item.default for item in dataclasses.fields(scene_camera.Settings)}
    assert SHIPPED["scene_camera"]["ros__parameters"] == defaults


@dataclasses.dataclass
class Client:
    """The parameter services of a node."""

    ros: rclpy.node.Node
    name: str

    def change(self, name: str, value: object):
        """Result of setting one parameter."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return call(self.ros, SetParameters, f"{self.name}/set_parameters", request).results[0]

    def get(self, name: str) -> object:
        """Its value."""
        request = GetParameters.Request(names=[name])
        values = call(self.ros, GetParameters, f"{self.name}/get_parameters", request).values
        return parameter_value_to_python(values[0])

    def describe(self, names: list[str]) -> list[ParameterDescriptor]:
        """What the node says of its parameters."""
        request = DescribeParameters.Request(names=names)
        return call(self.ros, DescribeParameters, f"{self.name}/describe_parameters", request).descriptors

    def shift(self, transition: int) -> bool:
        """Change the lifecycle state."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return call(self.ros, ChangeState, f"{self.name}/change_state", request).success


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a class file in it, and one beside it."""
    folder = tmp_path_factory.mktemp("classes")
    write_class(folder / "pear.safetensors", fabricated.make_class())
    write_class(folder.parent / "outside.safetensors", fabricated.make_class())
    return folder


@pytest.fixture(scope="module")
def tuned(start, ros, folder):
    """A node that was started with the shipped file and a few values on top."""
    parameters = {"backbone": "fabricated", "seed": "7", "classes": f"[{folder / 'pear.safetensors'}]"}
    parameters |= {"class_folder": str(folder), "__params": str(ROOT / "config/perceive.yaml")}
    node = start("perceive", {"__node": "tuned", **parameters})
    yield Client(ros, "/tuned")
    status, output = node.stop(signal.SIGTERM)
    assert status == 0, output


def test_what_is_given_at_start_holds(tuned):
    assert tuned.get("seed") == 7
    assert tuned.get("queue_size") == 4


def test_the_node_describes_every_parameter(tuned):
    fields = dataclasses.fields(Parameters)
    for item, descriptor in zip(fields, tuned.describe([item.name for item in fields]), strict=True):
        assert descriptor.description.startswith(item.metadata["doc"])
        assert descriptor.read_only == (item.metadata["change"] == NEVER)
        assert not descriptor.dynamic_typing
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        assert bool(ranges) == (isinstance(item.default, (int, float)) and not isinstance(item.default, bool))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("min_score", 3.0, "min_score"),
        ("min_score", float("nan"), "min_score out of range"),
        ("max_rate", -1.0, "max_rate"),
        ("max_instances", 0, "max_instances"),
        ("max_image_age", "soon", "Wrong parameter type"),
        ("seed", 8, "seed can only be changed while the node is unconfigured"),
        ("depth", "maybe", "depth can only be changed while the node is unconfigured"),
        ("autostart", False, "read-only"),
        ("active_classes", ["pear", "plum"], "no class plum is loaded; loaded: pear"),
    ],
)
def test_a_wrong_change_is_rejected_with_the_reason(tuned, name, value, reason):
    before = tuned.get(name)
    result = tuned.change(name, value)
    assert not result.successful
    assert reason in result.reason
    assert tuned.get(name) == before


def test_a_change_has_an_effect(tuned):
    def active() -> list[str]:
        answer = call(tuned.ros, ListClasses, "/tuned/list_classes", ListClasses.Request())
        return [each.name for each in answer.classes if each.active]

    assert tuned.change("active_classes", ["pear"]).successful
    assert active() == ["pear"]
    assert tuned.change("active_classes", [""]).successful
    assert active() == []
    # A class that became active in another way: the same value once more is no change, but an order.
    request = LoadClass.Request(path="pear.safetensors", active=True)
    assert call(tuned.ros, LoadClass, "/tuned/load_class", request).success
    assert active() == ["pear"]
    assert tuned.change("active_classes", [""]).successful
    assert active() == []


def test_an_unconfigured_node_takes_everything_but_files_outside_of_its_folder(tuned, folder):
    assert tuned.shift(Transition.TRANSITION_DEACTIVATE)
    assert tuned.shift(Transition.TRANSITION_CLEANUP)
    assert tuned.change("seed", 8).successful
    assert "must be one of auto, required, none" in tuned.change("depth", "maybe").reason
    before = tuned.get("classes")
    for path in (folder.parent / "outside.safetensors", f"{folder}/../outside.safetensors"):
        rejected = tuned.change("classes", [str(path)])
        assert not rejected.successful
        assert "is not in the class_folder" in rejected.reason
    assert tuned.get("classes") == before
    assert tuned.change("classes", [str(folder / "pear.safetensors")]).successful
    assert tuned.shift(Transition.TRANSITION_CONFIGURE)
    assert tuned.get("seed") == 8


def test_an_active_class_that_is_not_loaded_is_told_at_start(start, folder):
    parameters = {"classes": f"[{folder / 'pear.safetensors'}]", "active_classes": "[paer]"}
    node = start("perceive", {"backbone": "fabricated", "__node": "misspelled", **parameters})
    output, _ = node.process.communicate(timeout=UP_TIME)
    assert node.process.returncode == 2, output
    assert "active_classes: no class paer is loaded; loaded: pear" in output
    assert "Traceback" not in output


def test_the_simulated_camera_says_that_nothing_can_be_changed(start, ros):
    scene_camera = pytest.importorskip("semcorr_lab.demo.scene_camera", reason="needs the extra synthetic")
    node = start("scene_camera", {"views": "1", "rate": "4.0"})
    client = Client(ros, "/scene_camera")
    names = [item.name for item in dataclasses.fields(scene_camera.Settings)]
    assert all(each.read_only and each.description for each in client.describe(names))
    result = client.change("rate", 20.0)
    assert not result.successful
    assert "read-only" in result.reason
    assert client.get("rate") == 4.0
    assert node.stop()[0] == 0


def test_a_misspelled_parameter_is_told(start, ros):
    node = start("scene_camera", {"rte": "4.0", "use_sim_time": "false", "views": "1"})
    assert Client(ros, "/scene_camera").get("views") == 1
    _, output = node.stop()
    assert "unknown parameter 'rte' is ignored; did you mean 'rate'?" in output
    assert output.count("unknown parameter") == 1


def test_a_value_out_of_range_is_refused_at_start(start):
    node = start("scene_camera", {"rate": "-1.0"})
    output, _ = node.process.communicate(timeout=UP_TIME)
    assert node.process.returncode == 2, output
    assert "rate" in output
    assert "Traceback" not in output
