"""Show what a class file holds: keypoints, statistics, certainty, origin, and a picture of it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from semcorr_ros import methods
from semcorr_ros.cli._options.inspect_class import InspectClassOptions
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily, ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.class_picture import class_picture

UNSIZED = "unknown: the class has no size in metres (build_class --size METRES A B)"


def run(options: InspectClassOptions) -> int:
    """Print the tables. Raises ValueError for a file that is not a class file."""
    if methods.method_of(options.class_file) != methods.DEFAULT:
        return _of_another_method(options)
    model = read_class(options.class_file)
    content = describe(model) | {"bytes": options.class_file.stat().st_size}
    console = Console()
    console.print(_facts_table(content))
    console.print(_keypoint_table(content))
    if options.json:
        write_json(options.json, content)
    if options.picture:
        write_image(options.picture, class_picture(model))
        console.print(f"picture: {options.picture}")
    return 0


def _of_another_method(options: InspectClassOptions) -> int:
    """Print what the headers of all class files say."""
    if options.picture:
        raise ValueError("--picture is of classes that build_class made; train_sphere writes its own")
    origin = methods.read_origin(options.class_file)
    content = {
        "method": methods.method_of(options.class_file),
        "categories": methods.categories_of(options.class_file),
        "backbone": origin.backbone,
        "backbone_options": list(origin.options or ()),
        "bytes": options.class_file.stat().st_size,
    }
    table = Table("fact", "value")
    for name, value in content.items():
        table.add_row(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
    Console().print(table)
    if options.json:
        write_json(options.json, content)
    return 0


def describe(model: ClassRepresentation) -> dict[str, Any]:
    """Collect the numbers of a class, JSON-ready. Lengths are canonical units (RMS keypoint radius 1)."""
    prototypes, dense = model.sparse_prototypes, model.dense.prototypes
    return {
        "category": model.info.name,
        "backbone": model.backbone,
        "channels": prototypes.features.shape[1],
        "flip": model.info.flip,
        "flat": model.info.flat,
        "symmetric": model.info.symmetric,
        "metres_per_unit": model.metric_scale,
        "training_views": len(model.view_rotations),
        "shape_modes": [round(_rms(mode, int(model.annotated.sum())), 4) for mode in model.shape_modes],
        "dense_points": len(model.dense.weight),
        "dense_similarity": _summary(dense.similarity_mean, dense.similarity_std),
        "edge_pairs": _family(model.statistics.edge_pairs, ("angle", "ratio")),
        "frames": _family(model.statistics.frames, ("x", "y", "z")),
        "keypoints": [
            {
                "id": i,
                "name": name,
                "seen": bool(model.annotated[i]),
                "xyz": [round(value, 4) for value in model.sparse[i].tolist()],
                "similarity_mean": round(float(prototypes.similarity_mean[i]), 4),
                "similarity_std": round(float(prototypes.similarity_std[i]), 4),
            }
            for i, name in enumerate(model.info.keypoint_names)
        ],
        "provenance": model.provenance,
    }


def _family(family: BetaFamily, measures: tuple[str, ...]) -> dict[str, Any]:
    """Summarize a family: count, and the median standard deviation of every measure (all lie in [0, 1])."""
    total = family.alpha + family.beta
    std = (family.alpha * family.beta / (total**2 * (total + 1))).sqrt()
    median = std.median(0).values.tolist() if len(std) else [0.0] * len(measures)
    return {"count": len(std), "median_std": dict(zip(measures, (round(m, 4) for m in median), strict=True))}


def _summary(mean: Any, std: Any) -> dict[str, float]:
    return {"mean": round(float(mean.mean()), 4), "std": round(float(std.mean()), 4)}


def _rms(mode: Any, keypoints: int) -> float:
    return float(mode.norm()) / max(1, keypoints) ** 0.5


def _facts_table(content: dict[str, Any]) -> Table:
    table = Table(title=content["category"], show_header=False)
    for key, value in content.items():
        if key not in ("category", "keypoints", "provenance"):
            unknown = key == "metres_per_unit" and value == 0
            table.add_row(key, UNSIZED if unknown else str(value))
    for key, value in content["provenance"].items():
        table.add_row(key, value)
    return table


def _keypoint_table(content: dict[str, Any]) -> Table:
    table = Table("id", "keypoint", "x", "y", "z", "similarity", title="keypoints")
    for row in content["keypoints"]:
        xyz = [f"{value:.3f}" for value in row["xyz"]] if row["seen"] else ["", "too few annotations", ""]
        similarity = f"{row['similarity_mean']:.2f} +- {row['similarity_std']:.2f}" if row["seen"] else ""
        table.add_row(str(row["id"]), row["name"], *xyz, similarity)
    return table
