"""docs/architecture.md lists every difference from the paper, by the name of its option."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from semcorr_ros import config
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.building.config import BuildConfig

TEXT = (Path(__file__).parents[4] / "docs/architecture.md").read_text()
SET, OPEN, BUILT = (
    re.split(r"\n##+ ", TEXT.split(f"### {title}", 1)[1])[0]
    for title in ("Alignment and matching", "What the paper leaves open", "Building")
)
OPTION = re.compile(r"`([a-z_.]+)`")


def _options(table: str) -> list[str]:
    """Dotted names of the option column; `.name` stands beside the one before it."""
    found: list[str] = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or cells[3] in ("option", "---") or cells[3].startswith("option,"):
            continue
        for name in OPTION.findall(cells[3]):
            found.append(found[-1].rsplit(".", 1)[0] + name if name.startswith(".") else name)
    return [name for name in found if name != "paper"]


def _leaves(value: object, prefix: str = "") -> dict[str, object]:
    if not dataclasses.is_dataclass(value):
        return {prefix: value}
    found = {}
    for field in dataclasses.fields(value):
        found |= _leaves(getattr(value, field.name), f"{prefix}.{field.name}".lstrip("."))
    return found


@pytest.mark.parametrize("name", [name for name in _options(SET + OPEN) if not name.startswith("build.")])
def test_a_named_option_is_a_key_of_the_settings(name):
    value: object = AlignmentConfig()
    for part in name.split("."):
        value = getattr(value, part)
    nested: object = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
    for part in reversed(name.split(".")):
        nested = {part: nested}
    assert config.from_dict(AlignmentConfig, nested) == AlignmentConfig()


@pytest.mark.parametrize("name", [name for name in _options(BUILT) if name.startswith("build.")])
def test_a_named_option_is_a_key_of_the_build(name):
    assert hasattr(BuildConfig(), name.removeprefix("build."))


@pytest.mark.parametrize("category", ["bottle", "chair"])
def test_what_the_papers_form_sets_is_listed_and_nothing_else(category):
    ours, paper = _leaves(AlignmentConfig()), _leaves(preset("paper", category))
    changed = {name for name in ours.keys() | paper.keys() if ours.get(name) != paper.get(name)}
    changed = {"turning" if name.startswith("turning") else name for name in changed}
    listed = set(_options(SET))
    assert changed <= listed
    assert listed - changed <= {"optimize.separation_deg", "evidence.guessed_relief", "matching.sigma"}
