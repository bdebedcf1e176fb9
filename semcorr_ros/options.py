"""One description of an option: a field of a frozen dataclass, with its help, bounds and choices.

The command line (cli/_command.py), YAML files (config.py), ROS parameters (ros/declaration.py) and the launch
file read it. Options that are needed together are one dataclass, a group; nothing heavy is imported here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

ALWAYS, UNCONFIGURED, NEVER = "always", "unconfigured", "never"  # when a ROS parameter may be changed
REQUIRED: Any = dataclasses.MISSING

T = TypeVar("T")
Spell = Callable[[object, str], str]  # (group, name of a field) -> what the user knows it by


def option(
    default: Any,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    *,
    choices: Iterable[Any] | Callable[[], Iterable[Any]] = (),
    **more: Any,
) -> Any:
    """Describe an option. low, high: inclusive bounds. choices: allowed values besides the default, or a
    function that lists them.

    more: `change`, when the ROS parameter may be changed; and of the command line `flag`, where it is not the
    field's name, `metavar`, `several` (one value each time it is given) and `positional`.
    """
    about = {"doc": doc, "low": low, "high": high, "choices": choices, "change": UNCONFIGURED} | more
    return dataclasses.field(default=default, metadata=about)


def group(kind: type[Any], rare: bool = False) -> Any:
    """Describe a field that holds a group. rare: --help lists its flags in one line."""
    complete = all(field.default is not REQUIRED for field in dataclasses.fields(kind))
    default: Any = {"default_factory": kind} if complete else {}
    return dataclasses.field(metadata={"group": kind, "rare": rare}, kw_only=True, **default)


def flag(holder: object, name: str) -> str:
    """Spell a field of a group, or an option of another group, as on the command line."""
    fields = dataclasses.fields(holder)  # type: ignore[arg-type]
    field = next((field for field in fields if field.name == name), None)
    if field is None:
        return f"--{name.replace('_', '-')}"
    return name.upper() if field.metadata.get("positional") else f"--{spelled(field)}"


def spelled(field: dataclasses.Field[Any]) -> str:
    """Spell the flag of a field, without leading dashes."""
    return str(field.metadata.get("flag") or field.name.replace("_", "-"))


def choices_of(field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    """List the allowed values of an option; empty: anything."""
    found = field.metadata.get("choices", ())
    return tuple(found() if callable(found) else found)


def exclude(options: object, *names: str, required: bool = False) -> None:
    """Raise ValueError where more than one of these fields is given or, if required, none."""
    flags = [flag(options, name) for name in names]
    given = [flag for flag, name in zip(flags, names, strict=True) if getattr(options, name)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other")
    if required and not given:
        raise ValueError(f"one of {' and '.join(flags)} is required")


def check(options: T, spell: Spell) -> T:
    """Validate options, also in nested groups, and return them. Raises ValueError naming what is not allowed,
    and what is."""
    for field in dataclasses.fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            check(value, spell)
        elif value == () and field.default is REQUIRED:
            raise ValueError(f"{spell(options, field.name)} must be given")
        elif value != field.default:
            for one in value if isinstance(value, tuple) else (value,):
                _check_one(field, one, lambda: spell(options, field.name))  # noqa: B023
    return options


def _check_one(field: dataclasses.Field[Any], value: Any, name: Callable[[], str]) -> None:
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name()} must be a number, got {value}")
    if isinstance(value, (int, float)) and (
        (low is not None and value < low) or (high is not None and value > high)
    ):
        wanted = f"between {low:g} and {high:g}" if high is not None else f"at least {low:g}"
        raise ValueError(f"{name()} must be {wanted}, got {value}")
    choices = choices_of(field)
    if choices and value not in choices:
        # "(empty)": what a ROS parameter is that is not given.
        empty = field.default == "" and not name().startswith("-")
        listed = ", ".join(map(str, (*(["(empty)"] if empty else []), *choices)))
        raise ValueError(f"{name()} must be one of {listed}, got {value!r}")
