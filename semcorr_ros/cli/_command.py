"""From a command line to the options of a verb, by tyro: a typed dataclass of groups."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, UseAppendAction
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from semcorr_ros.options import check, flag, spelled

Options = TypeVar("Options")
FRAMES = str.maketrans(dict.fromkeys("│╭╮╰╯", " "))  # of the box that tyro draws around an error


def parse(kind: type[Options], arguments: Sequence[str]) -> Options:
    """Read the arguments of a verb. Raises ValueError with one line that names what is wrong."""
    rules = ConstructorRegistry()
    rules.struct_rule(_as_described)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _wide():
            found = tyro.cli(
                kind,
                args=arguments,
                registry=rules,
                add_help=False,
                config=(OmitArgPrefixes, FlagCreatePairsOff),
            )
    except SystemExit as error:
        raise ValueError(_one_line(said.getvalue())) from error
    return check(found, flag)


def _as_described(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Tell tyro of a dataclass what `option` and `group` say of its fields."""
    if not dataclasses.is_dataclass(info.type):
        return None
    hints = get_type_hints(info.type)
    fields = [_field(field, hints[field.name]) for field in dataclasses.fields(info.type)]
    return StructConstructorSpec(info.type, tuple(fields))


def _field(field: dataclasses.Field[Any], hint: Any) -> StructFieldSpec:
    missing = field.default is dataclasses.MISSING
    about = field.metadata
    if about.get("several"):
        hint = Annotated[hint, UseAppendAction]
    if about.get("positional"):
        hint = Annotated[hint, Positional]
    if "doc" in about:
        hint = Annotated[hint, tyro.conf.arg(name=spelled(field), help=about["doc"], prefix_name=False)]
    return StructFieldSpec(field.name, hint, tyro.MISSING_NONPROP if missing else field.default)


def _one_line(box: str) -> str:
    """What tyro says in a box of several lines: the part before its rule."""
    lines = [line.translate(FRAMES).strip() for line in box.splitlines()]
    told = [line for line in lines if line]
    title = told[0].strip("─ ") if told else "cannot be understood"
    body: list[str] = []
    for line in told[1:]:
        if set(line) == {"─"}:
            break
        body.append(line)
    text = " ".join(body) or title
    return f"{text} (--help shows the options)"


@contextlib.contextmanager
def _wide() -> Any:
    """Keep tyro from breaking lines in the middle of a path."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
