"""The file of a mapper and its categories: one safetensors file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.artifacts import Prototypes
from semcorr_ros.features._sphere_mapper import PREFIX, read_mapper
from semcorr_ros.methods import DEFAULT, SCHEMA, check_schema, info_from, info_header
from semcorr_ros.methods.spherical.artifacts import Category, Keypoints, SphereClasses
from semcorr_ros.methods.spherical.config import METRICS, MatchConfig
from semcorr_ros.storage import read_tensors, write_tensors

METHOD = "spherical"
VERSION = 1
KEYPOINTS = ("features", "spheres", "annotated", "slope", "offset")
RECOGNIZED = ("features", "similarity_mean", "similarity_std")


def write_classes(path: str | Path, classes: SphereClasses) -> None:
    """Write the file atomically; the same classes give the same bytes. Features are kept as float16."""
    tensors = {PREFIX + name: values for name, values in classes.mapper.state_dict().items()}
    for i, category in enumerate(classes.categories):
        for name in KEYPOINTS:
            tensors[f"{i}.keypoints.{name}"] = _kept(name, getattr(category.keypoints, name))
        for name in RECOGNIZED:
            tensors[f"{i}.recognized.{name}"] = _kept(name, getattr(category.recognized_by, name))
    write_tensors(path, tensors, _to_header(classes))


def read_classes(path: str | Path, device: str = "cpu") -> SphereClasses:
    """Read such a file.

    Raises FileNotFoundError, ValueError for a damaged file and one of another kind, method or version.
    """
    tensors, header = read_tensors(path, device)
    check_schema(path, header)
    if header.get("method") != METHOD:
        raise ValueError(
            f"{path} is no spherical class but of method {header.get('method', DEFAULT)!r}: see train_sphere"
        )
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path} has spherical class file version {header.get('version')!r}, this package reads "
            f"{VERSION}; train it again"
        )
    for name, values in tensors.items():
        if values.is_floating_point() and not torch.isfinite(values).all():
            raise ValueError(f"{path} is damaged: {name} holds values that are not finite")
    try:
        return _from_parts(tensors, header, device)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged: its header or tensors lack or garble {error}") from error


def with_only(classes: SphereClasses, name: str) -> SphereClasses:
    """Keep one category: what a node loads."""
    kept = tuple(category for category in classes.categories if category.info.name == name)
    return SphereClasses(classes.mapper, classes.matching, kept, classes.backbone, classes.provenance)


def _kept(name: str, values: Tensor) -> Tensor:
    return values.half() if name == "features" else values


def _to_header(classes: SphereClasses) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "method": METHOD,
        "version": VERSION,
        "category": ", ".join(classes.names),
        "backbone": classes.backbone,
        "provenance": classes.provenance,
        "head": asdict(classes.head),
        "matching": asdict(classes.matching),
        "categories": [{"name": one.info.name, **info_header(one.info)} for one in classes.categories],
    }


def _from_parts(tensors: dict[str, Tensor], header: dict[str, Any], device: str) -> SphereClasses:
    mapper = read_mapper(tensors, header["head"], device)
    matching = MatchConfig(**header["matching"])
    if matching.metric not in METRICS or not 0 <= matching.alpha <= 1:
        raise ValueError(f"metric {matching.metric!r} and alpha {matching.alpha!r}")
    listed = enumerate(header["categories"])
    categories = tuple(_category(i, info, tensors, mapper.config.channels) for i, info in listed)
    provenance = {str(key): str(value) for key, value in header["provenance"].items()}
    return SphereClasses(mapper, matching, categories, str(header["backbone"]), provenance)


def _category(i: int, info: dict[str, Any], tensors: dict[str, Tensor], channels: int) -> Category:
    parts = {name: tensors[f"{i}.keypoints.{name}"] for name in KEYPOINTS}
    seen = {name: tensors[f"{i}.recognized.{name}"] for name in RECOGNIZED}
    count = len(info["keypoint_names"])
    if tuple(seen["features"].shape[1:]) != (channels,):
        raise ValueError(f"{channels} channels of {info['name']!r}")
    shapes = {"features": (count, channels), "spheres": (count, 3)}
    for name, values in parts.items():
        if tuple(values.shape) != shapes.get(name, (count,)):
            raise ValueError(f"{name} of {info['name']!r}, of shape {tuple(values.shape)}")
    if parts["annotated"].dtype != torch.bool or len({len(values) for values in seen.values()}) != 1:
        raise ValueError(f"what is annotated or recognized of {info['name']!r}")
    ids = [*(info["flip"] or ()), *(int(end) for edge in info["edges"] for end in edge)]
    if any(not 0 <= i < count for i in ids) or not isinstance(info["name"], str):
        raise ValueError(f"flip table, edges or name of {info['name']!r}")
    parts["features"], seen["features"] = (
        normalize(values["features"].float(), dim=-1) for values in (parts, seen)
    )
    return Category(
        info_from(info["name"], info),
        Keypoints(**parts),
        Prototypes(**seen),
    )
