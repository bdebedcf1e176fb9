"""Camera files of different tools to named fields: JSON, YAML, XML, ost.txt, numbers alone, NumPy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from semcorr_ros.files._camera_fields import EXPECTED, calibration_of
from semcorr_ros.files.arrays import read_array, read_arrays
from semcorr_ros.geometry.calibration import Calibration

LARGEST = 1 << 20  # bytes


def calibration_in(path: Path) -> Calibration:
    """Read a camera file by what it holds, whatever it is called. Raises ValueError."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has {path.stat().st_size} bytes: no camera file")
    arrays = _arrays(path)
    try:
        content = _content(path.read_bytes().decode("utf-8-sig")) if arrays is None else arrays
    except (ValueError, yaml.YAMLError, ElementTree.ParseError, RecursionError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{EXPECTED}; it is not readable: {said}") from error
    try:
        return calibration_of(content if isinstance(content, dict) else {"K": content} if content else {})
    except (
        RecursionError,
        OverflowError,
        TypeError,
    ) as error:  # of YAML that contains itself; endless digits
        raise ValueError(f"{EXPECTED}; it is not readable: {error}") from error


def _arrays(path: Path) -> dict[str, Any] | None:
    """Read what OpenCV's users save: a matrix, or several arrays by name."""
    if path.suffix.lower() == ".npy":
        return {"K": read_array(path, ()).tolist()}
    if path.suffix.lower() == ".npz":
        found = {name: values.tolist() for name, values in read_arrays(path).items()}
        return {"K": next(iter(found.values()))} if len(found) == 1 else found
    return None


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
    # `ros2 topic echo` ends every message with ---: the first one is read.
    return next(iter(yaml.load_all(re.sub(r"^%YAML[^\n]*\n(---[^\n]*\n)?", "", start), Loader=_Loader)), None)


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
