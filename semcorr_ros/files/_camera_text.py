"""What camera files of different tools call the same numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from semcorr_ros.files.arrays import read_array
from semcorr_ros.geometry.calibration import Calibration

# Names without case, _ and -; in this order.
MATRIX = ("k", "cameramatrix", "intrinsicmatrix", "intrinsics", "intrinsic", "camk", "mtx", "m1")
DISTORTION = (
    "d", "distortioncoefficients", "distortioncoeffs", "distcoeffs", "dist", "distortion", "coeffs", "d1"
)  # fmt: skip
PROJECTION = ("p", "projectionmatrix")
WIDTH, HEIGHT = ("width", "imagewidth", "w"), ("height", "imageheight", "h")
BOTH = ("resolution", "imagesize")  # width, height
MODEL = ("distortionmodel", "model")
ORDER = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
EXPECTED = 'expected {"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]}, or the file of a calibration tool'
LARGEST = 1 << 20  # bytes


def calibration_in(path: Path) -> Calibration:
    """Read a camera file by what it holds, whatever it is called. Raises ValueError."""
    if path.suffix.lower() in (".npy", ".npz"):
        K = read_array(path, ("K", "mtx", "camera_matrix")).tolist()
        return _from_fields({"K": K} | _beside(path))
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has {path.stat().st_size} bytes: no camera file")
    try:
        content = _content(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, yaml.YAMLError, ElementTree.ParseError, RecursionError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{EXPECTED}; it is not readable: {said}") from error
    try:
        return _from_fields(content if isinstance(content, dict) else {"K": content})
    except (
        RecursionError,
        OverflowError,
        TypeError,
    ) as error:  # of YAML that contains itself; endless digits
        raise ValueError(f"{EXPECTED}; it is not readable: {error}") from error


def _beside(path: Path) -> dict[str, Any]:
    """Read the distortion that OpenCV's users save with the matrix."""
    if path.suffix.lower() != ".npz":
        return {}
    with np.load(path, allow_pickle=False) as content:
        there = content.files
    name = next((name for name in ("dist", "D", "dist_coeffs") if name in there), None)
    return {} if name is None else {"D": read_array(path, (name,)).tolist()}


def _content(text: str) -> Any:
    start = text.lstrip()
    if start.startswith("<"):
        return _xml(start)
    if re.search(r"^\[image\]\s*$", start, re.MULTILINE):
        return _ost(start)
    if re.fullmatch(r"[-+.\deE\s,;]+", start):
        return [float(word) for word in re.split(r"[\s,;]+", start.strip()) if word]
    if start.startswith(("{", "[")):
        return json.loads(start)
    # FileStorage begins with %YAML:1.0, which is no YAML; its matrices are plain mappings.
    return yaml.load(re.sub(r"^%YAML[^\n]*\n(---[^\n]*\n)?", "", start), Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Reads OpenCV's matrices, too."""


def _plain_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _plain_mapping)


def _xml(text: str) -> dict[str, Any]:
    """Read OpenCV's FileStorage as XML."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("XML with its own entities")
    found: dict[str, Any] = {}
    for node in ElementTree.fromstring(text):
        data = node.find("data")
        words = ((node if data is None else data).text or "").split()
        numbers = [float(word) for word in words if re.fullmatch(r"[-+.\deE]+", word)]
        plain = data is None and len(words) == 1
        found[node.tag] = (numbers[0] if numbers else words[0]) if plain else numbers
    return found


def _ost(text: str) -> dict[str, Any]:
    """Read the ost.txt of camera_calibration: a name on a line, numbers on the next ones."""
    found: dict[str, Any] = {}
    name = ""
    for line in text.splitlines():
        words = line.split()
        if words and all(re.fullmatch(r"[-+.\deE]+|nan|inf", word) for word in words):
            found.setdefault(name, []).extend(map(float, words))
        elif words and not line.startswith(("#", "[")):
            name = line.strip().replace(" ", "_")
    if len(found.get("projection", ())) != 12:
        raise ValueError("it has no complete projection: is it cut off?")
    names = {"camera_matrix": "K", "distortion": "D", "projection": "P"}
    plain = {names.get(key, key): value for key, value in found.items()}
    return plain | {key: plain[key][0] for key in ("width", "height") if key in plain}


def _from_fields(content: Mapping[str, Any]) -> Calibration:
    fields = {re.sub(r"[\s_-]", "", str(key)).lower(): value for key, value in content.items()}
    matrix = _first(fields, MATRIX)
    if matrix is None and {"fx", "fy"} <= set(fields):
        matrix = fields
    if matrix is None:
        inner = [key for key, value in content.items() if isinstance(value, dict)]
        if len(inner) == 1:
            return _from_fields(content[inner[0]])
        several = f"; it holds {', '.join(map(str, inner))}: keep one" if inner else ""
        raise ValueError(f"{EXPECTED}; got {', '.join(map(str, content)) or 'nothing'}{several}")
    if str(fields.get("cameramodel", "pinhole")).lower() != "pinhole":
        raise ValueError(f"camera_model {fields['cameramodel']!r} is not supported; use pinhole")
    size = _size({**fields, **_lowered(matrix)})
    model = _first(fields, MODEL)
    if _first(fields, ("fisheyemodel", "fisheye")) in (1, True, 1.0):
        model = "fisheye"
    coefficients, P = _coefficients(_first(fields, DISTORTION)), _first(fields, PROJECTION)
    if (model or _is_matrix(matrix)) and model != "none" and _first(fields, DISTORTION) is None:
        raise ValueError("it has no distortion, which calibration tools write: is it cut off?")
    projection = None if P is None else _numbers(P, "P", (12,)).reshape(3, 4)[:, :3]
    return Calibration(
        _matrix(matrix), size, "" if model in (None, "none") else str(model), coefficients, projection
    )


def _is_matrix(value: Any) -> bool:
    """Tell a matrix with rows and columns, as ROS and OpenCV write it."""
    return isinstance(value, dict) and "data" in value


def _matrix(value: Any) -> np.ndarray:
    if isinstance(value, dict) and "data" not in value:
        fields = _lowered(value)
        names = (("fx",), ("fy",), ("cx", "ppx"), ("cy", "ppy"))
        value = [_first(fields, name) for name in names]
    numbers = _numbers(value, "K", (4, 9))
    if len(numbers) == 4:
        fx, fy, cx, cy = numbers
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    K = numbers.reshape(3, 3)
    flat = not (isinstance(value, list) and value and isinstance(value[0], list))
    return K.T if flat and K[2, 2] == 1 and not K[:2, 2].any() and K[2, :2].any() else K  # Open3D: by columns


def _coefficients(value: Any) -> tuple[float, ...]:
    if value is None:
        return ()
    if isinstance(value, dict) and "data" not in value:
        known = _lowered(value)
        last = max((i + 1 for i, name in enumerate(ORDER) if name in known), default=0)
        value = [known.get(name, 0.0) for name in ORDER[: max(last, 5)]]
    return tuple(_numbers(value, "distortion", ()).tolist())


def _size(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = _first(fields, WIDTH), _first(fields, HEIGHT)
    if width is None or height is None:
        both = _first(fields, BOTH)
        if both is None:
            return None
        width, height = _numbers(both, "resolution", (2,)).tolist()
    w, h = _numbers([width, height], "width and height", (2,)).tolist()
    if min(w, h) < 1 or w % 1 or h % 1:
        raise ValueError(f"width and height must be whole numbers of pixels, got {w:g} and {h:g}")
    return int(h), int(w)


def _numbers(value: Any, what: str, counts: tuple[int, ...]) -> np.ndarray:
    """Flatten lists, and OpenCV's and ROS's {"data": [...]}. Raises ValueError for anything else."""
    flat = list(_flat(value["data"] if _is_matrix(value) else value))
    if _is_matrix(value) and value.get("rows", len(flat)) * value.get("cols", 1) != len(flat):
        raise ValueError(f"{what} has {value.get('rows')} x {value.get('cols')} numbers, got {len(flat)}")
    if not all(type(number) in (int, float) for number in flat) or (counts and len(flat) not in counts):
        listed = " or ".join(map(str, counts))
        raise ValueError(
            f"{EXPECTED}; {what} must be {listed + ' ' if counts else ''}numbers, got {value!r:.200}"
        )
    numbers = np.array(flat, np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} must be finite, got {str(value)[:200]}")
    return numbers


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _lowered(value: Any) -> dict[str, Any]:
    return {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)
