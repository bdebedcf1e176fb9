"""Artefacts on disk: safetensors with a JSON header, images, atomic writes. No pickle anywhere."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

Save = Callable[[Image.Image, Path], None]


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it on success and is deleted on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON. Raises FileNotFoundError or ValueError naming the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def write_tensors(path: str | Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write a safetensors file whose metadata holds `header` as JSON. Same input, same bytes."""
    metadata = {"header": json.dumps(header, sort_keys=True)}
    ordered = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(ordered, metadata))


def read_tensors(path: str | Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and header of a file written by `write_tensors`.

    Raises FileNotFoundError, or ValueError for a truncated, corrupted or foreign file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with safe_open(str(path), framework="pt", device=device) as file:
            header = json.loads((file.metadata() or {})["header"])
            return {key: file.get_tensor(key) for key in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a semcorr_ros artefact or is damaged: {error}") from error


def read_torch(path: str | Path) -> Any:
    """Read a file of torch.save to the CPU, without executing anything in it.

    Raises FileNotFoundError, or ValueError for one that is damaged or holds more than tensors and the like.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise nearly anything
        said = str(error).partition("\n")[0]
        reason = f"{type(error).__name__}: {said}"
        raise ValueError(f"{path} is not a tensor file that is safe to load ({reason})") from error


def read_header(path: str | Path) -> Any:
    """Read the header of such a file without its tensors. Raises as `read_tensors`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            return json.loads((file.metadata() or {})["header"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a semcorr_ros artefact or is damaged: {error}") from error


def write_image(
    path: str | Path, image: UInt8[Tensor, "height width 3"], save: Save = Image.Image.save
) -> None:
    """Write RGB to PNG or JPEG, by the suffix, atomically. save: such as `rendered.save`.

    Raises ValueError for a suffix that says no format.
    """
    if Path(path).suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"{path}: its ending says no image format; name it .png or .jpg")
    with atomic_path(path) as temporary:
        save(Image.fromarray(image.cpu().numpy()), temporary)
