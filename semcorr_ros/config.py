"""Strict YAML or dict -> frozen dataclass: an unknown key is an error that prints the allowed ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import yaml

from semcorr_ros.options import check

T = TypeVar("T")


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build dataclass `cls` from a nested dict. Missing keys keep their defaults."""
    if not isinstance(values, dict):
        raise ValueError(f"{where}: expected a mapping, got {type(values).__name__}")
    hints = get_type_hints(cls)
    allowed = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")
    converted = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in values.items()}
    return check(cls(**converted), lambda _, name: f"{where}.{name}")


def load(cls: type[T], path: str | Path) -> T:
    """Read a YAML file into dataclass `cls`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no config file {path}")
    return from_dict(cls, yaml.safe_load(path.read_text()) or {}, where=path.name)


def _convert(hint: Any, value: Any, where: str) -> Any:
    given = [one for one in get_args(hint) if one is not NoneType]
    if NoneType in get_args(hint) and len(given) == 1:
        return None if value is None else _convert(given[0], value, where)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    if isinstance(value, list):
        return _to_tuple(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and not isinstance(value, hint):
        raise ValueError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value


def _to_tuple(value: Any) -> Any:
    return tuple(_to_tuple(item) for item in value) if isinstance(value, list) else value
