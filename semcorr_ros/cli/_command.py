"""From a command line to the options of a verb, by tyro: a typed dataclass of groups."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import io
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, UseAppendAction
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from semcorr_ros.cli._help import groups_of, shape
from semcorr_ros.options import check, flag, spelled

Options = TypeVar("Options")
NUMBERS: dict[str, tuple[type[int] | type[float], str]] = {
    "int": (int, "a whole number"),
    "float": (float, "a number"),
}
FRAME, RULE = " │╭╮╰╯|+", {"─", "-"}  # of the box that tyro draws around an error, as the terminal allows


def parse(kind: type[Options], arguments: Sequence[str]) -> Options:
    """Parse the arguments of a verb. Raises ValueError with one line that names what is wrong."""
    fields = [field for group in groups_of(kind) for field in group.fields]
    _check_flags(fields, arguments)
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
        raise ValueError(_one_line(fields, said.getvalue())) from error
    return check(found, flag)


def _check_flags(fields: Sequence[dataclasses.Field[Any]], arguments: Sequence[str]) -> None:
    """Raises ValueError for a flag that does not exist, and for an argument that has none."""
    known = {f"--{spelled(field)}": field for field in fields}
    for argument in itertools.takewhile(lambda word: word != "--", arguments):
        name = argument.partition("=")[0].replace("_", "-")
        if not name.startswith("--") or name == "--":
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else " (--help shows all options)"
            raise ValueError(f"Unrecognized option: {argument.partition('=')[0]}{hint}")
        if known[name].metadata.get("positional"):
            raise ValueError(f"{shape(known[name])} is given without {name}")


def _as_described(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Translate the `option` and `group` fields of a dataclass for tyro."""
    if not dataclasses.is_dataclass(info.type):
        return None
    hints = get_type_hints(info.type)
    fields = [_field(field, hints[field.name]) for field in dataclasses.fields(info.type)]
    return StructConstructorSpec(info.type, tuple(fields))


def _field(field: dataclasses.Field[Any], hint: Any) -> StructFieldSpec:
    missing = field.default is dataclasses.MISSING
    about = field.metadata
    if number := NUMBERS.get(str(hint).removesuffix(" | None")) or NUMBERS.get(getattr(hint, "__name__", "")):
        hint = Annotated[hint, _number(*number)]
    if about.get("several"):
        hint = Annotated[hint, UseAppendAction]
    if about.get("positional"):
        hint = Annotated[hint, Positional]
    if "doc" in about:
        hint = Annotated[hint, tyro.conf.arg(name=spelled(field), help=about["doc"], prefix_name=False)]
    return StructFieldSpec(field.name, hint, tyro.MISSING_NONPROP if missing else field.default)


def _number(kind: type[int] | type[float], what: str) -> PrimitiveConstructorSpec[Any]:
    """Parse a number; a bad one gets a plain error."""

    def read(words: list[str]) -> Any:
        try:
            return kind(words[0])
        except ValueError as error:
            raise ValueError(f"expected {what}, got {words[0]!r}") from error

    return PrimitiveConstructorSpec(1, "N", read, lambda value: True, lambda value: [str(value)])


def _one_line(fields: Sequence[dataclasses.Field[Any]], box: str) -> str:
    """Extract the message from tyro's box of several lines: what is between its title and its first rule."""
    lines = [line.strip(FRAME) for line in box.splitlines()]
    below = itertools.dropwhile(lambda line: set(line) <= RULE, [line for line in lines if line][1:])
    body = itertools.takewhile(lambda line: not set(line) <= RULE, below)
    text = " ".join(body) or "the arguments cannot be understood"
    if text.startswith("Missing from"):
        needed = [field for field in fields if field.default is dataclasses.MISSING]
        missing = [shape(field) for field in needed if field.metadata["doc"].split(";")[0] in text]
        return f"{' and '.join(missing)} must be given (--help shows all options)"
    if text.startswith("Unrecognized"):
        return f"{text} (--help shows all options)"
    prefix, _, rest = text.partition(": ")
    name = prefix.removeprefix("Error parsing ")
    return text if name == prefix else f"{name}: {rest}" if name.startswith("-") else rest


@contextlib.contextmanager
def _wide() -> Iterator[None]:
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
