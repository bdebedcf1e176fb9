"""What `train_sphere` shows: maps of the sphere, the loss curve, and a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.cli._options.train_sphere import TrainSphereOptions
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere
from semcorr_ros.files.picture import read_image
from semcorr_ros.methods.spherical.training.views import Picture, read_object
from semcorr_ros.storage import write_image
from semcorr_ros.visualization.curve_picture import curve_picture
from semcorr_ros.visualization.sphere_picture import Tile, sphere_picture

DRAWN = 6  # pictures per category
SHOWN = 5  # skipped pictures printed; all are in the report


def write_pictures(
    options: TrainSphereOptions,
    pictures: Sequence[Picture],
    infos: Sequence[CategoryInfo],
    mapper: SphereMapper,
    losses: Sequence[dict[str, float]],
) -> None:
    """Write the maps of some pictures, and the losses over the steps."""
    output = options.output
    rows = [_tiles([p for p in pictures if p.category == i], mapper) for i in range(len(infos))]
    write_image(output.picture or _beside(output.output, "png"), sphere_picture(rows))
    if losses:
        write_image(output.curve or _beside(output.output, "losses.png"), curve_picture(losses))


def print_summary(options: TrainSphereOptions, report: dict[str, Any]) -> None:
    """Print what was learned from, and what was left out."""
    counts = ", ".join(f"{name} {facts['pictures']}" for name, facts in report["categories"].items())
    last = report["losses"][-1] if report["losses"] else None
    loss = f", loss {last['total']:.3f} after {last['step']} steps" if last else ""
    print(f"{options.output.output}: {counts} pictures{loss}")
    for name, facts in report["categories"].items():
        if not facts["keypoints"]:
            print(f"warning: {name} has no annotated keypoints: it can carry points, and cannot judge itself")
    for entry in report["skipped"][:SHOWN]:
        print(f"skipped {entry['name']}: {entry['reason']}")
    if len(report["skipped"]) > SHOWN:
        print(f"... and {len(report['skipped']) - SHOWN} more, see the report")
    for line in report["dataset_problems"][:SHOWN]:
        print(line)


def _tiles(pictures: Sequence[Picture], mapper: SphereMapper) -> list[Tile]:
    chosen = pictures[:: max(1, len(pictures) // DRAWN)][:DRAWN]
    tiles = []
    for picture in chosen:
        features, mask = read_object(picture)
        spheres = map_sphere(mapper.cpu(), features)
        tiles.append(Tile(read_image(picture.sample.image_path), spheres, mask, features.window))
    return tiles


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.stem}.{ending}")
