"""Time and error of the lift: python -m benchmark.structure [--seeds N] [--images N] [--json FILE].

Error: mean distance of the lifted keypoints to those of the class's Procrustes mean after the best proper
similarity, as a share of the mean radius; a reversed shape would show as an error of 0.3 and more. Beside it,
what the class building makes of the same annotations with their exact depth: members differ and every picture
shows half of its keypoints, so the mean of what is seen is not the mean of the class.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from benchmark.structure.views import Scene, scene
from semcorr_lab.synthetic import categories
from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.sparse_cloud import sparse_cloud
from semcorr_ros.structure.config import LiftConfig
from semcorr_ros.structure.lift import Structure, lift
from semcorr_ros.structure.sightings import collect


def lifted(truth: Scene, seed: int = 0) -> tuple[Structure, float]:
    """A scene's structure, and the seconds it took."""
    config = LiftConfig()
    start = time.perf_counter()
    found = collect(truth.images, truth.info, config.focal)
    structure = lift(found.sights, found.flip, config, torch.Generator().manual_seed(seed))
    return structure, time.perf_counter() - start


def with_exact_depth(truth: Scene) -> torch.Tensor:
    """The class's shape (L, 3) from the same annotations with true depths."""
    visible = torch.stack([image.visible for image in truth.images])
    points = torch.where(visible[..., None], truth.points, 0.0)
    names = tuple(image.name for image in truth.images)
    views = Views(points, visible, torch.zeros(len(names), dtype=torch.bool), names)
    return sparse_cloud(add_mirrored(views, truth.info.flip), truth.info, True, BuildConfig()).points


def shape_error(shape: torch.Tensor, truth: Scene) -> float:
    """Share of the mean radius."""
    shape, target = shape.float(), truth.shape
    moved = apply_similarity(shape, *fit_similarity(shape, target))
    return float((moved - target).norm(dim=-1).mean() / (target - target.mean(0)).norm(dim=-1).mean())


def measure(category: str, images: int, seeds: int) -> dict[str, Any]:
    """One row of the table."""
    rows = []
    for seed in range(seeds):
        truth = scene(category, images, seed)
        structure, seconds = lifted(truth, seed)
        exact = shape_error(with_exact_depth(truth), truth)
        rows.append((shape_error(structure.shape, truth), seconds, structure.verdict.clear, exact))
    errors = [row[0] for row in rows]
    return {
        "category": category,
        "keypoints": len(truth.shape),
        "error": [round(e, 3) for e in errors],
        "mean_error": round(sum(errors) / seeds, 3),
        "exact_depth": [round(row[3], 3) for row in rows],
        "mean_exact_depth": round(sum(row[3] for row in rows) / seeds, 3),
        "seconds": round(sum(row[1] for row in rows) / seeds, 2),
        "clear": sum(row[2] for row in rows),
    }


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=25)
    parser.add_argument("--categories", nargs="+", default=categories.available())
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for category in args.categories:
        rows.append(measure(category, args.images, args.seeds))
        print(rows[-1], flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
