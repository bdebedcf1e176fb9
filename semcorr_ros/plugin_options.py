"""Settings of plug-ins as users write them, KEY=VALUE, and the plug-in made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from semcorr_ros import plugins
from semcorr_ros.config import from_dict


def has_setting(kind: str, name: str, key: str) -> bool:
    """Whether the plug-in's Config has a field of that name. Raises as `plugins.load`."""
    return key in {field.name for field in dataclasses.fields(plugins.load(kind, name).Config)}


def needs_files(kind: str, name: str) -> bool:
    """Whether the plug-in reads what a data set has beside its images. Raises as `plugins.load`."""
    return getattr(plugins.load(kind, name), "NEEDS_FILES", False)


def needs_annotations(kind: str, name: str) -> bool:
    """Whether the plug-in reads annotated keypoints: training images only. Raises as `plugins.load`."""
    return getattr(plugins.load(kind, name), "NEEDS_ANNOTATIONS", False)


def settings(
    kind: str, name: str, texts: Sequence[str], where: str, elsewhere: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """KEY=VALUE texts as values of the types in the plug-in's Config; `build` refuses what is left.

    where: what the texts were given to, for messages. elsewhere: keys that are set by something else, and
    by what. Raises ValueError.
    """
    hints = get_type_hints(plugins.load(kind, name).Config) if texts else {}
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ValueError(f"{where} takes KEY=VALUE, got {text!r}")
        own = (elsewhere or {}).get(key)
        if own or key in found:
            raise ValueError(f"{where} {text}: " + (f"use {own}" if own else f"{key} was given before"))
        found[key] = _typed(value, hints.get(key))
    return found


def by_name(texts: Sequence[str], names: Sequence[str], where: str) -> dict[str, list[str]]:
    """NAME.KEY=VALUE texts by NAME, as KEY=VALUE. Raises ValueError for a name that is not there."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for text in texts:
        name, dot, setting = text.partition(".")
        if name not in found or not dot:
            listed = ", ".join(names) or "none is chosen"
            raise ValueError(f"{where} {text}: NAME.KEY=VALUE with one of {listed}")
        found[name].append(setting)
    return found


def build(kind: str, name: str, given: Mapping[str, Any], common: Mapping[str, Any]) -> Any:
    """The plug-in with the given settings; of the common ones, such as the device, it gets those it has.

    Raises ValueError for a setting that it does not have or that has the wrong type, and as its `build`.
    """
    module = plugins.load(kind, name)
    allowed = {field.name for field in dataclasses.fields(module.Config)}
    shared = {key: value for key, value in common.items() if key in allowed}
    return module.build(from_dict(module.Config, {**shared, **given}, where=f"{kind}/{name}"))


def _typed(text: str, hint: Any) -> Any:
    if hint in (str, Path):
        return hint(text)
    try:
        return float(text) if hint is float else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return text
