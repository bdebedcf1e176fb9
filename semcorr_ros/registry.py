"""Plug-ins: one file each in the folder of their kind, found by its name; there is no table to edit.

A file says what it is with one object, `PLUGIN`, of the type that its folder's `__init__.py` declares. That
of a provider is a `Plugin`: a frozen dataclass of settings, and the function that builds it from them.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, get_type_hints

import yaml

from semcorr_ros.config import from_dict

Kind = TypeVar("Kind")
Made = TypeVar("Made")
S = TypeVar("S")

# Which extra brings the packages a plug-in imports; printed when the import fails.
EXTRAS = {
    "trimesh": "synthetic",
    "embreex": "synthetic",
    "fast_simplification": "mesh_prior",
    "DracoPy": "mesh_prior",
    "transformers": "foundation",
    "robust_laplacian": "mesh_prior",
    "diffusers": "foundation",
    "huggingface_hub": "foundation",
    "rosbags": "bags",
    "starlette": "teach",
    "uvicorn": "teach",
    "ray": "ray",
}


class Registry(Generic[Kind]):
    """The plug-ins of one folder (a package), each of type `Kind`."""

    def __init__(self, package: str, kind: type[Kind]) -> None:
        self._package, self._kind = package, kind

    def names(self) -> list[str]:
        """List what `load` accepts; nothing is imported."""
        return names(self._package)

    def load(self, name: str) -> Kind:
        """Import one plug-in. Raises as `load_module`, and TypeError for a file without a PLUGIN."""
        plugin = getattr(load_module(self._package, name), "PLUGIN", None)
        if not isinstance(plugin, self._kind):
            raise TypeError(f"{self._package}.{name} must say PLUGIN = {self._kind.__name__}(...)")
        return plugin


@dataclasses.dataclass(frozen=True)
class NoSettings:
    """Nothing to choose."""


class Plugin(Generic[Made]):
    """A provider that is built from settings."""

    def __init__(
        self,
        settings: type[S],
        build: Callable[[S], Made],
        *,
        needs_files: bool = False,
        needs_annotations: bool = False,
    ) -> None:
        """Describe a provider. needs_files: it reads files that a data set has beside its images, so a camera
        cannot use it. needs_annotations: it reads annotated keypoints, so it serves training images only."""
        self.settings: type[Any] = settings
        self.build: Callable[[Any], Made] = build
        self.needs_files, self.needs_annotations = needs_files, needs_annotations
        self.name = "/".join(build.__module__.split(".")[-2:])  # for messages: features/tiny

    def has_setting(self, key: str) -> bool:
        """Tell whether the settings have a field of that name."""
        return key in {field.name for field in dataclasses.fields(self.settings)}

    def make(self, given: Mapping[str, Any], common: Mapping[str, Any]) -> Made:
        """Build the provider from the given settings and those of the common ones, such as the device, that
        it has.

        Raises ValueError for a setting that it does not have or that has the wrong type, and as `build`.
        """
        shared = {key: value for key, value in common.items() if self.has_setting(key)}
        return self.build(from_dict(self.settings, {**shared, **given}, where=self.name))

    def parse(
        self, texts: Sequence[str], where: str, elsewhere: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Read KEY=VALUE texts as values of the types of the settings; `make` refuses what is left.

        where: what the texts were given to, for messages. elsewhere: keys that are set by something else,
        and by what. Raises ValueError.
        """
        hints = get_type_hints(self.settings) if texts else {}
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
    """Sort NAME.KEY=VALUE texts by NAME, as KEY=VALUE. Raises ValueError for a name that is not there."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for text in texts:
        name, dot, setting = text.partition(".")
        if name not in found or not dot:
            listed = ", ".join(names) or "none is chosen"
            raise ValueError(f"{where} {text}: NAME.KEY=VALUE with one of {listed}")
        found[name].append(setting)
    return found


def names(package: str) -> list[str]:
    """List the modules of a package that are plug-ins: all whose name begins with a letter.

    Nothing is imported, not even the package, whose `__init__` may need torch.
    """
    if package in sys.modules:
        folders = list(sys.modules[package].__path__)
    else:
        top, *inner = package.split(".")
        roots = importlib.import_module(top).__path__
        folders = [str(folder) for root in roots if (folder := Path(root, *inner)).is_dir()][:1]
    found = {module.name for module in pkgutil.iter_modules(folders)}
    return sorted(name for name in found if not name.startswith("_"))


def load_module(package: str, name: str) -> ModuleType:
    """Import the plug-in file `name` of a package.

    Raises ValueError listing the choices for an unknown name, ImportError naming the package that is
    missing or too old and the extra that brings it.
    """
    loaded = sys.modules.get(f"{package}.{name}")
    if loaded is not None and not name.startswith("_"):
        return loaded
    kind = package.rpartition(".")[2]
    try:
        if name not in names(package):
            raise ValueError(f"unknown {kind} plug-in {name!r}; available: {', '.join(names(package))}")
        return importlib.import_module(f"{package}.{name}")
    except ImportError as error:
        if reason := _missing(error):
            raise ImportError(f"{kind} plug-in {name!r} {reason}") from error
        raise


def _missing(error: ImportError) -> str:
    """Say what to install; empty where the fault is our own."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "semcorr_ros", "semcorr_lab"):
        return ""
    extra = EXTRAS.get(package)
    wanted = f"'semcorr_ros[{extra}]'" if extra else package
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return f"needs the package {package!r}: pip install {wanted}"
    have = f"{package} {getattr(sys.modules.get(package), '__version__', '')}".strip()
    return f"does not work with {have}: pip install -U {wanted} ({error})"


def _typed(text: str, hint: Any) -> Any:
    if hint in (str, Path):
        return hint(text)
    try:
        return float(text) if hint is float else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return text
