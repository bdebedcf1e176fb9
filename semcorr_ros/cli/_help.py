"""What --help prints: the groups that most need, with a line for each rare one; and one group, or all."""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from semcorr_ros.options import choices_of, spelled

COLUMN = 30  # where descriptions begin
LEAST, MOST = 60, 100  # columns
ALL = "all"


@dataclass(frozen=True)
class Group:
    """Options that are shown together."""

    title: str
    fields: list[dataclasses.Field[Any]]
    rare: bool


def groups_of(kind: type[Any]) -> list[Group]:
    """List the groups of a verb's options; ungrouped options come first."""
    own = [field for field in dataclasses.fields(kind) if "doc" in field.metadata]
    return [Group("options", own, False)] * bool(own) + list(_nested(kind, False))


def _nested(kind: type[Any], rare: bool) -> Iterator[Group]:
    for field in dataclasses.fields(kind):
        inner = field.metadata.get("group")
        if inner is None:
            continue
        hidden = rare or field.metadata["rare"]
        own = [option for option in dataclasses.fields(inner) if "doc" in option.metadata]
        if own:
            yield Group(field.name.replace("_", "-"), own, hidden)
        yield from _nested(inner, hidden)


def text(kind: type[Any], prog: str, doc: str, topic: str = "") -> str:
    """Describe a verb. topic: empty, the title of a group, or "all".

    Raises ValueError naming the groups for a topic that is none.
    """
    groups = groups_of(kind)
    width = max(LEAST, min(MOST, shutil.get_terminal_size((MOST, 50)).columns))
    titles = [group.title for group in groups]
    if topic and topic not in (ALL, *titles):
        raise ValueError(f"--help {topic}: there are {', '.join(titles)}, {ALL}")
    if topic in titles:
        shown, more = [group for group in groups if group.title == topic], []
    else:
        shown = [group for group in groups if topic == ALL or not group.rare]
        more = [group for group in groups if group not in shown]
    lines = [] if topic in titles else [_usage(groups, prog, width), "", *_wrapped(doc, width)]
    for group in shown:
        described = [line for field in group.fields for line in _described(field, width)]
        lines += ["", f"{group.title}:", *described]
    if more:
        lines += ["", f"more, described by `{prog} --help GROUP`, or all by `--help {ALL}`:"]
        lines += [_listed(group, width) for group in more]
    return "\n".join(lines).strip("\n")


def _wrapped(doc: str, width: int) -> list[str]:
    paragraphs = [textwrap.wrap(" ".join(part.split()), width) for part in doc.strip().split("\n\n")]
    return [line for lines in paragraphs for line in ("", *lines)][1:]


def _usage(groups: list[Group], prog: str, width: int) -> str:
    fields = [field for group in groups for field in group.fields]
    needed = [shape(field) for field in fields if field.default is dataclasses.MISSING]
    return textwrap.fill(f"usage: {' '.join([prog, *needed])} [options]", width, subsequent_indent=" " * 7)


def shape(field: dataclasses.Field[Any]) -> str:
    """Format flag and value: --masks NAME ..."""
    about, kind = field.metadata, str(field.type)
    listed = "|".join(map(str, choices_of(field)))
    value = about.get("metavar") or listed or spelled(field).rpartition("-")[2].upper()
    if kind == "bool":
        return f"--{spelled(field)}"
    if "tuple" in kind and not about.get("several"):
        value += " ..."
    return value if about.get("positional") else f"--{spelled(field)} {value}".strip()


def _described(field: dataclasses.Field[Any], width: int) -> list[str]:
    given, about = shape(field), field.metadata["doc"]
    if field.metadata.get("several"):
        about += "; several times"
    if choices := choices_of(field):
        listed = ", ".join(map(str, choices))
        if "|" in given:
            about = about.replace(f": {listed}", "")
        elif listed not in about:
            about += f" ({listed})"
    default = field.default
    if default not in (dataclasses.MISSING, None, "", (), False) and "default" not in about:
        about += f" (default: {' '.join(map(str, default)) if isinstance(default, tuple) else default})"
    wrapped = textwrap.wrap(about, width - COLUMN, break_on_hyphens=False)
    head = f"  {given}"
    if len(head) >= COLUMN:
        return [head, *(" " * COLUMN + line for line in wrapped)]
    return [f"{head:<{COLUMN}}{wrapped[0]}", *(" " * COLUMN + line for line in wrapped[1:])]


def _listed(group: Group, width: int) -> str:
    flags = " ".join(f"--{spelled(field)}" for field in group.fields)
    return textwrap.fill(
        f"  {group.title:<16}{flags}", width, subsequent_indent=" " * 18, break_on_hyphens=False
    )
