"""The class file: one safetensors file with everything a class needs online."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semcorr_ros.artifacts import Prototypes
from semcorr_ros.methods import SCHEMA, check_schema, info_from, info_header
from semcorr_ros.methods.semalign3d.artifacts import (
    BetaFamily,
    BetaStatistics,
    ClassRepresentation,
    Coarse,
    DenseCloud,
)
from semcorr_ros.storage import read_tensors, write_tensors

VERSION = 1

# Names of the axes of every tensor in the file: equal names must mean equal sizes.
AXES = {
    "sparse": "keypoint xyz",
    "seen": "keypoint",
    "sparse.features": "keypoint channel",
    "sparse.similarity_mean": "keypoint",
    "sparse.similarity_std": "keypoint",
    "sparse.facing": "keypoint xyz",
    "dense.barycentric": "point keypoint",
    "dense.weight": "point",
    "dense.features": "point channel",
    "dense.similarity_mean": "point",
    "dense.similarity_std": "point",
    "dense.facing": "point xyz",
    "edge_pairs.indices": "pair four",
    "edge_pairs.alpha": "pair two",
    "edge_pairs.beta": "pair two",
    "frames.indices": "frame four",
    "frames.alpha": "frame xyz",
    "frames.beta": "frame xyz",
    "shape_modes": "mode keypoint xyz",
    "view_rotations": "view xyz xyz",
}
# Of classes that were also learned from coarse copies.
COARSE_AXES = {
    f"coarse.{name}": axes
    for name, axes in AXES.items()
    if name.partition(".")[2] in ("features", "similarity_mean", "similarity_std")
}
FIXED_SIZES = {"xyz": 3, "two": 2, "four": 4}
SHARED = ("coarse.sparse.facing", "coarse.dense.facing")  # with the points themselves
LARGEST = {"keypoint": 1000, "point": 100_000}  # ours have 30 and 1000: more takes all memory to align


def write_class(path: str | Path, representation: ClassRepresentation) -> None:
    """Write a class atomically; the same class gives the same bytes. Features are kept as float16."""
    write_tensors(path, _to_tensors(representation), _to_header(representation))


def read_class(path: str | Path, device: str = "cpu") -> ClassRepresentation:
    """Read a class file.

    Raises FileNotFoundError, or ValueError for a damaged file, a file of another kind and a file of
    another version of this package.
    """
    tensors, header = read_tensors(path, device)
    _check_header(path, header)
    _check_tensors(path, tensors)
    try:
        representation = _from_parts(tensors, header)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its header lacks or garbles {error}") from error
    if len(representation.info.keypoint_names) != len(representation.sparse):
        raise ValueError(
            f"{path} is damaged: {len(representation.info.keypoint_names)} names for "
            f"{len(representation.sparse)} keypoints"
        )
    return representation


def _to_tensors(model: ClassRepresentation) -> dict[str, Tensor]:
    tensors = {"sparse": model.sparse, "seen": model.annotated}
    tensors |= _prototype_tensors("sparse", model.sparse_prototypes)
    tensors |= {"dense.barycentric": model.dense.barycentric, "dense.weight": model.dense.weight}
    tensors |= _prototype_tensors("dense", model.dense.prototypes)
    for name in ("edge_pairs", "frames"):
        family: BetaFamily = getattr(model.statistics, name)
        tensors |= {f"{name}.indices": family.indices.to(torch.int16)}
        tensors |= {f"{name}.alpha": family.alpha, f"{name}.beta": family.beta}
    if model.coarse is not None:
        tensors |= _prototype_tensors("coarse.sparse", model.coarse.sparse)
        tensors |= _prototype_tensors("coarse.dense", model.coarse.dense)
        tensors = {name: values for name, values in tensors.items() if name not in SHARED}
    return tensors | {"shape_modes": model.shape_modes, "view_rotations": model.view_rotations}


def _prototype_tensors(name: str, prototypes: Prototypes) -> dict[str, Tensor]:
    facing = prototypes.facing
    if facing is None:
        facing = torch.zeros(len(prototypes.features), 3)
    return {
        f"{name}.features": prototypes.features.half(),
        f"{name}.similarity_mean": prototypes.similarity_mean,
        f"{name}.similarity_std": prototypes.similarity_std,
        f"{name}.facing": facing,
    }


def _to_header(model: ClassRepresentation) -> dict[str, Any]:
    info = model.info
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "category": info.name,
        **info_header(info),
        "metric_scale": model.metric_scale,
        "backbone": model.backbone,
        "provenance": model.provenance,
    } | ({} if model.coarse is None else {"coarse_side": model.coarse.side})


def _check_header(path: str | Path, header: Any) -> None:
    check_schema(path, header)
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path} has class file version {header.get('version')!r}, this package reads {VERSION}; "
            "build the class again"
        )


def _check_tensors(path: str | Path, tensors: dict[str, Tensor]) -> None:
    expected_axes = AXES | (COARSE_AXES if set(COARSE_AXES) & set(tensors) else {})
    missing = sorted(set(expected_axes) - set(tensors))
    if missing:
        raise ValueError(f"{path} is damaged: tensor {missing[0]!r} is missing")
    sizes = dict(FIXED_SIZES)
    for name, axes in expected_axes.items():
        shape = tuple(tensors[name].shape)
        expected = tuple(
            sizes.setdefault(axis, size) for axis, size in zip(axes.split(), shape, strict=False)
        )
        if len(shape) != len(axes.split()) or shape != expected:
            raise ValueError(f"{path} is damaged: {name} has shape {shape}, expected ({axes}) with {sizes}")
        if tensors[name].is_floating_point() and not torch.isfinite(tensors[name]).all():
            raise ValueError(f"{path} is damaged: {name} holds values that are not finite")
    for axis, most in LARGEST.items():
        if sizes[axis] > most:
            raise ValueError(f"{path} has {sizes[axis]} {axis}s, at most {most} are supported")
    for name in ("edge_pairs.indices", "frames.indices"):
        rows = tensors[name]
        if len(rows) and not (rows.min() >= 0 and rows.max() < sizes["keypoint"]):
            raise ValueError(f"{path} is damaged: {name} points outside the {sizes['keypoint']} keypoints")


def _from_parts(tensors: dict[str, Tensor], header: dict[str, Any]) -> ClassRepresentation:
    dense = DenseCloud(tensors["dense.barycentric"], tensors["dense.weight"], _prototypes("dense", tensors))
    return ClassRepresentation(
        info=info_from(header["category"], header),
        sparse=tensors["sparse"],
        annotated=tensors["seen"],
        sparse_prototypes=_prototypes("sparse", tensors),
        dense=dense,
        statistics=BetaStatistics(_family("edge_pairs", tensors), _family("frames", tensors)),
        shape_modes=tensors["shape_modes"],
        view_rotations=tensors["view_rotations"],
        metric_scale=float(header["metric_scale"]),
        backbone=header["backbone"],
        provenance={str(key): str(value) for key, value in header["provenance"].items()},
        coarse=_coarse(tensors, header),
    )


def _coarse(tensors: dict[str, Tensor], header: dict[str, Any]) -> Coarse | None:
    if "coarse.dense.features" not in tensors:
        return None
    sparse, dense = (_prototypes(name, tensors, "coarse.") for name in ("sparse", "dense"))
    return Coarse(int(header["coarse_side"]), sparse, dense)


def _prototypes(name: str, tensors: dict[str, Tensor], copy: str = "") -> Prototypes:
    """Take the prototypes of a cloud; copy: "coarse." takes those of coarse copies, which face alike."""
    features = torch.nn.functional.normalize(tensors[f"{copy}{name}.features"].float(), dim=-1)
    mean, std = (tensors[f"{copy}{name}.{part}"] for part in ("similarity_mean", "similarity_std"))
    return Prototypes(features, mean, std, tensors[f"{name}.facing"])


def _family(name: str, tensors: dict[str, Tensor]) -> BetaFamily:
    indices = tensors[f"{name}.indices"].long()
    return BetaFamily(indices, tensors[f"{name}.alpha"], tensors[f"{name}.beta"])
