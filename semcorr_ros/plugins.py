"""A plug-in is one file in its folder, found by its name; there is no registry to edit."""

from __future__ import annotations

import importlib
import pkgutil
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
    package = importlib.import_module(f"semcorr_ros.{kind}")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name for name in set(names) if not name.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """Import the plug-in `name` of a kind, e.g. load("features", "tiny").

    Raises ValueError listing the choices for an unknown name, ImportError naming the missing
    package and the extra that brings it.
    """
    try:
        if name not in available(kind):
            raise ValueError(f"unknown {kind} plug-in {name!r}; available: {', '.join(available(kind))}")
        return importlib.import_module(f"semcorr_ros.{kind}.{name}")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "semcorr_ros":
            raise
        extra = EXTRAS.get(package)
        fix = f"pip install 'semcorr_ros[{extra}]'" if extra else f"pip install {package}"
        raise ImportError(f"{kind} plug-in {name!r} needs the package {package!r}: {fix}") from error
