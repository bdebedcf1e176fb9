"""docs/interfaces.md and its neighbours say what the code does: every name, default, range and reason."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
from pathlib import Path

import pytest
import yaml
from ros.test_interface import live, policy_of  # noqa: F401 - a fixture

from semcorr_ros.files import depth, picture
from semcorr_ros.methods.semalign3d import class_file
from semcorr_ros.options import ALWAYS, NEVER, UNCONFIGURED
from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import LONGEST_MESSAGE, Code
from semcorr_ros.ros import transfer
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.quality_of_service import SERVICES
from semcorr_ros.sensing import images, regions
from semcorr_ros.serving import demonstration_file, demonstrations, resident

ROOT = Path(__file__).resolve().parents[2]
INTERFACES = (ROOT / "docs/interfaces.md").read_text()
ROBOT = (ROOT / "docs/robot.md").read_text()
TROUBLE = (ROOT / "docs/troubleshooting.md").read_text()
README = (ROOT / "README.md").read_text()
WHEN = {ALWAYS: "any time", UNCONFIGURED: "unconfigured", NEVER: "at start"}


def rows(text: str, first: str) -> list[list[str]]:
    """Cells of the table whose header begins with `first`."""
    lines = text[text.index(f"| {first} |") :].splitlines()
    table = list(itertools.takewhile(lambda line: line.startswith("|"), lines))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def test_every_parameter_is_in_the_table_as_it_is_declared():
    table = {cells[0].strip("`"): cells for cells in rows(INTERFACES, "name | default | range | changed")}
    assert list(table) == [item.name for item in dataclasses.fields(Parameters)]
    for item in dataclasses.fields(Parameters):
        _, default, limits, when, meaning = table[item.name]
        expected = [""] if isinstance(item.default, tuple) else item.default
        shown = yaml.safe_load(default.strip("`"))
        assert (shown, type(shown)) == (expected, type(expected)), item.name
        low, high = item.metadata["low"], item.metadata["high"]
        assert limits == ("" if low is None else f"{low:g} .. {high:g}"), item.name
        assert when == WHEN[item.metadata["change"]], item.name
        assert meaning == item.metadata["doc"], item.name


def test_every_topic_service_and_action_is_named(live):  # noqa: F811
    interface = live["semcorr"]
    streams = interface.publish | interface.subscribe | interface.reply | interface.execute
    # Of packages that are not installed here, and of parameters that are not set.
    streams |= policy_of("/semcorr").subscribe | policy_of("/semcorr").publish
    documented = set(re.findall(r"`([~/\w]+)`", INTERFACES))
    for stream in streams:
        own = stream.replace("/semcorr/", "~/") if stream.startswith("/semcorr/") else stream
        assert {own, own.lstrip("/")} & documented, f"docs/interfaces.md lacks {own}"
    for name in (name for name in documented if name.startswith("~/") and "left" not in name):
        assert name.replace("~/", "/semcorr/") in streams, f"docs/interfaces.md has {name}, the node has not"


def test_every_encoding_is_named():
    mosaics = " ".join(name for name in images.COLOR if "bayer" in name)
    named = set(re.split(r"[\s,()]+", INTERFACES.replace("bayer_*8", mosaics)))
    assert {*images.COLOR, *images.DEPTH} - {"mono16"} <= named | {"16UC1", "32FC1"}
    assert "mono16" in named


def test_limits_are_those_of_the_code():
    limits = {cells[0]: cells[1] for cells in rows(INTERFACES, "what | at most | else")}
    said = [
        int(number.replace(",", "")) for text in limits.values() for number in re.findall(r"[\d,]*\d", text)
    ]
    mebibyte = 2**20
    assert resident.LARGEST_FILE == 2**30
    assert said == [
        picture.MAX_PIXELS // 10**6,
        int(depth.UNLIKELY),
        transfer.MAX_POINTS,
        regions.MOST,
        SERVICES.depth,
        1,
        class_file.LARGEST["keypoint"],
        class_file.LARGEST["point"],
        demonstration_file.LARGEST_MESSAGE // mebibyte,
        demonstrations.LARGEST_MEMORY // mebibyte,
        LONGEST_MESSAGE,
    ]


def test_every_reason_is_explained():
    table = {cells[0].strip("`"): cells for cells in rows(TROUBLE, "name | code | meaning | what to do")}
    assert set(table) == {code.name for code in Code} - {"NONE"}
    for code, reason in REASONS.items():
        assert table[code.name][1:] == [str(int(code)), reason.meaning, reason.fix]


@pytest.mark.parametrize("text", [ROBOT, README], ids=["robot.md", "README.md"])
def test_launch_commands_use_arguments_that_there_are(text):
    tree = ast.parse((ROOT / "launch/perceive.launch.py").read_text())
    table = next(
        node.value
        for node in tree.body
        if getattr(getattr(node, "targets", [None])[0], "id", "") == "ARGUMENTS"
    )
    arguments = {key.value for key in table.keys}
    commands = re.findall(r"ros2 launch semcorr_ros perceive\.launch\.py((?:[^\n`]|\\\n)*)", text)
    assert commands
    used = {name for command in commands for name in re.findall(r"(\w+):=", command)}
    assert used <= arguments, used - arguments


def test_parameters_and_files_that_the_walk_names_exist():
    names = {item.name for item in dataclasses.fields(Parameters)}
    inline = re.findall(r"`(\w+): [^`]+`", ROBOT)
    assert inline
    assert set(inline) <= names | {"metric"}, set(inline) - names
    for path in re.findall(r"(?:config|rviz|launch)/[\w/]+\.(?:xml|json|yaml|rviz|py)", ROBOT + README):
        assert (ROOT / path).is_file(), path
    for page in re.findall(r"`(?:docs/)?(\w+\.md)`", ROBOT + INTERFACES + README):
        assert (ROOT / "docs" / page).is_file() or (ROOT / page).is_file(), page
