"""Hash of all that a model's results depend on, 12 hexadecimal digits: equal ones mean comparable results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

_CHUNK = 1 << 22


def fingerprint(files: Iterable[Path], settings: Mapping[str, object]) -> str:
    """Hash the bytes of weights files, in the order given, and the settings that change the results.

    Neither names of files nor precision, device or batch size belong in it: a class built with float32 on
    one machine is used with float16 on another. Raises FileNotFoundError.
    """
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    for key in sorted(settings):
        digest.update(f"\n{key}={settings[key]!r}".encode())
    return digest.hexdigest()[:12]


def model_files(folder: Path) -> list[Path]:
    """List the weights of a model folder in the hub's layout: one file, or shards in order.

    Raises FileNotFoundError where there is no `model.safetensors`.
    """
    whole = folder / "model.safetensors"
    found = [whole] if whole.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
    if not found:
        raise FileNotFoundError(
            f"no model.safetensors in {folder}; convert other formats with save_pretrained"
        )
    return found


def named(name: str, folder: Path, settings: Mapping[str, object]) -> str:
    """Return `<name>:<fingerprint>` of a model folder, its config included. Raises FileNotFoundError."""
    return f"{name}:{fingerprint([folder / 'config.json', *model_files(folder)], settings)}"
