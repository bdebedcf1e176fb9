"""Commands that the manuals show are ones that the verbs understand."""

import re
import shlex
from pathlib import Path

import pytest

from semcorr_ros.cli import options_of
from semcorr_ros.cli._command import parse
from semcorr_ros.cli._help import groups_of
from semcorr_ros.depth import DEPTH
from semcorr_ros.features import FEATURES
from semcorr_ros.masks import MASKS
from semcorr_ros.options import spelled
from semcorr_ros.provider_options import FeatureOptions

ROOT = Path(__file__).resolve().parents[1]
MANUALS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
VERBS = [path.stem for path in sorted((ROOT / "semcorr_ros/cli").glob("[a-z]*.py"))]
COMMAND = re.compile(r"(?:\$semcorr|python -m semcorr_ros) (\w+)([^;\n)`]*)")
LOOPED = {"$c": "mug", "$t": "depth"}  # variables of `for`


def commands() -> list[tuple[str, str, str]]:
    """(manual, verb, arguments) of every bash block."""
    found = []
    for path in MANUALS:
        text = path.read_text().replace("\\\n", " ")
        variables = dict(re.findall(r'^(\w+)="([^"]*)"$', text, re.M))
        for block in re.findall(r"```bash\n(.*?)```", text, re.S):
            for verb, rest in COMMAND.findall(block):
                for name, value in variables.items():
                    rest = rest.replace(f"${name}", value)
                for name, value in LOOPED.items():
                    rest = rest.replace(name, value)
                if verb in VERBS:
                    found.append((path.name, verb, rest))
    return found


@pytest.mark.parametrize(("manual", "verb", "rest"), commands())
def test_a_command_is_understood(manual, verb, rest):
    given = shlex.split(rest, comments=True)
    if "..." in rest or "[" in rest:
        pytest.skip("an outline, not a command")
    try:
        found = parse(options_of(verb), given)
    except ValueError as error:
        pytest.fail(f"{manual}: {verb} {rest}: {error}")
    features = found.sources.features if hasattr(found, "sources") else FeatureOptions()
    for text in features.backbone_options:
        backbone = FEATURES.load(features.backbone)
        assert all(backbone.has_setting(key) for key in backbone.parse([text], "--backbone-option")), text


def test_the_published_tables_are_among_them():
    verbs = [verb for manual, verb, _ in commands() if manual == "backbones.md"]
    assert verbs.count("evaluate") >= 6
    assert verbs.count("build_class") >= 3


@pytest.mark.parametrize("name", ["backbones.md", "weights.md"])
def test_every_flag_of_a_manual_exists(name):
    groups = [group for verb in VERBS for group in groups_of(options_of(verb))]
    flags = {f"--{spelled(field)}" for group in groups for field in group.fields} | {"--help"}
    flags.add("--ros-args")  # of the node
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", (ROOT / "docs" / name).read_text()))
    assert mentioned
    assert mentioned <= flags, mentioned - flags


def test_every_backbone_depth_and_mask_plug_in_is_in_the_manual():
    text = (ROOT / "docs/backbones.md").read_text()
    for registry in (FEATURES, DEPTH, MASKS):
        for plug_in in registry.names():
            assert f"`{plug_in}`" in text, plug_in
