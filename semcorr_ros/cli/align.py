"""Align a class to one picture: where it is, how it is turned, and where its keypoints are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Alignment, ClassRepresentation
from semcorr_ros.cli import _picture_arguments as pictures
from semcorr_ros.cli._live_arguments import live_from
from semcorr_ros.memory import peak_memory
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.overlay import draw_alignment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `semcorr_ros align`."""
    parser.add_argument("--image", type=Path, required=True, metavar="FILE")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="16-bit mm .png or float metres .npy")
    parser.add_argument(
        "--mask", type=Path, metavar="PNG", help="above 127 = object (default: found by --masks)"
    )
    pictures.add_arguments(parser, class_required=True)


def run(args: argparse.Namespace) -> int:
    """Returns 0; a picture that cannot be read or aligned raises with the reason."""
    model = pictures.class_from(args)
    providers = live_from(args, args.class_file)
    started = time.perf_counter()
    picture = pictures.Picture(args.image, args.depth, args.mask, args.camera)
    seen = pictures.see(picture, providers, model)
    with pictures.bars() as progress:
        aligned = pictures.align(args, model, seen, progress, args.image.name)
    ids = model.seen.nonzero()[:, 0]
    found = pipeline.transfer_keypoints(model, seen, aligned, ids)
    seconds = time.perf_counter() - started
    names = [model.info.keypoint_names[i] for i in ids.tolist()]
    points = pictures.points_json(found, names)
    print(f"{model.info.name}: confidence {float(aligned.confidence[0]):.2f}")
    pictures.print_points(points)
    if args.output:
        write_image(args.output, draw_alignment(seen.image, model, aligned))
    if args.json:
        write_json(args.json, {**_content(args, model, aligned, seconds), "keypoints": points})
    return 0


def _content(
    args: argparse.Namespace, model: ClassRepresentation, aligned: Alignment, seconds: float
) -> dict[str, Any]:
    return {
        "class": model.info.name,
        "image": str(args.image),
        "confidence": float(aligned.confidence[0]),
        "energy": float(aligned.energy[0]),
        "energy_by_term": {name: float(values[0]) for name, values in aligned.energy_by_term.items()},
        "metric": aligned.metric,
        "focal_px": aligned.camera.focal.tolist(),
        "pose": {
            "rotation": aligned.rotation[0].tolist(),
            "translation": aligned.translation[0].tolist(),
            "scale": float(aligned.scale[0]),
        },
        "seconds": round(seconds, 3),
        "peak_memory": peak_memory(),
    }
