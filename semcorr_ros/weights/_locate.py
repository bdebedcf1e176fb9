"""Where a model of the manifest lies on this machine. Never uses the network."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
from pathlib import Path

from semcorr_ros.storage import read_json
from semcorr_ros.weights._manifest import Model

FOLDER_VARIABLE = "SEMCORR_WEIGHTS"
INDEX = "model.safetensors.index.json"


def named_folder() -> Path | None:
    """Return the folder of $SEMCORR_WEIGHTS, which holds one sub-folder per name of the manifest."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else None


def local_folder() -> Path:
    """Return the folder of $SEMCORR_WEIGHTS, or its default for files that are not on the hub."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return named_folder() or cache / "semcorr_ros" / "weights"


def places(model: Model) -> list[Path]:
    """List folders that may hold the model, whether they exist or not, in the order of search."""
    return [local_folder() / model.name, *_cached(model), *_packaged(model)]


def missing_files(model: Model, folder: Path) -> list[str]:
    """List the needed files, and the shards named by an index, that the folder lacks."""
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    needed = [path for path, facts in model.files.items() if not facts.optional]
    wanted = [Path(path).name for path in needed] if model.is_file else needed
    missing = [path for path in wanted if not fnmatch.filter(present, path)]
    if INDEX in present:
        shards = set(read_json(folder / INDEX)["weight_map"].values())
        missing += sorted(shards - present)
    return missing


def _cached(model: Model) -> list[Path]:
    """Find the snapshot in the hub's cache, if the hub's package is installed."""
    if model.source != "hub":
        return []
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return []
    # Cached at whatever commit: a branch's name or the pinned commit both lead to a snapshot.
    config = try_to_load_from_cache(model.id, next(iter(model.files)), revision=model.revision)
    return [Path(config).parent] if isinstance(config, str) else []


def _packaged(model: Model) -> list[Path]:
    """Find where an installed Python package keeps the file, without importing it."""
    if model.source != "package":
        return []
    spec = importlib.util.find_spec(model.id.replace("-", "_"))
    roots = spec.submodule_search_locations if spec else None
    return [Path(root) / Path(next(iter(model.files))).parent for root in roots or ()]
