"""A plug-in is one file in its folder, found by its name; there is no registry to edit."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import ModuleType

# Which extra brings the packages a plug-in imports; printed when the import fails.
EXTRAS = {
    "trimesh": "synthetic",
    "embreex": "synthetic",
    "transformers": "foundation",
    "diffusers": "foundation",
    "huggingface_hub": "foundation",
    "rosbags": "bags",
    "ray": "ray",
}


def available(kind: str) -> list[str]:
    """Names that `load` accepts for a kind (a folder of semcorr_ros), without importing them."""
    package = importlib.import_module(_package(kind))
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name for name in set(names) if not name.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """Import the plug-in `name` of a kind, e.g. load("features", "tiny").

    Raises ValueError listing the choices for an unknown name, ImportError naming the package that is
    missing or too old and the extra that brings it.
    """
    try:
        if name not in available(kind):
            raise ValueError(f"unknown {kind} plug-in {name!r}; available: {', '.join(available(kind))}")
        return importlib.import_module(f"{_package(kind)}.{name}")
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "semcorr_ros", "semcorr_lab"):
            raise
        extra = EXTRAS.get(package)
        wanted = f"'semcorr_ros[{extra}]'" if extra else package
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            reason = f"needs the package {package!r}: pip install {wanted}"
        else:
            have = f"{package} {getattr(sys.modules.get(package), '__version__', '')}".strip()
            reason = f"does not work with {have}: pip install -U {wanted} ({error})"
        raise ImportError(f"{kind} plug-in {name!r} {reason}") from error


def _package(kind: str) -> str:
    return kind if kind.startswith("semcorr_lab.") else f"semcorr_ros.{kind}"
