"""Align a class to one picture: where it is, how it is turned, and where its keypoints are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Observation
from semcorr_ros.cli import _picture_arguments as pictures
from semcorr_ros.cli._live_arguments import live_from
from semcorr_ros.cli._score_arguments import REFUSED, min_score_from, refused_json, say_refused
from semcorr_ros.memory import peak_memory
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.refusal import Refusal
from semcorr_ros.sensing.judgement import judged, low_score
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.overlay import draw_alignment, draw_refusal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `semcorr_ros align`."""
    parser.add_argument("--image", type=Path, required=True, metavar="FILE")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="16-bit mm .png or float metres .npy")
    parser.add_argument(
        "--mask", type=Path, metavar="PNG", help="above 127 = object (default: found by --masks)"
    )
    pictures.add_arguments(parser, class_required=True)


def run(args: argparse.Namespace) -> int:
    """Returns 0, or 1 where the class was not found surely enough: the JSON says why, the picture shows it.

    A picture that cannot be read raises with the reason.
    """
    model = pictures.class_from(args)
    providers = live_from(args, args.class_file)
    min_score = min_score_from(args, providers.features.backbone)
    started = time.perf_counter()
    picture = pictures.Picture(args.image, args.depth, args.mask, args.camera)
    seen = pictures.see(picture, providers, model)
    aligned: Alignment | None = None
    try:
        with pictures.bars() as progress:
            aligned = pictures.align(args, model, seen, progress, args.image.name)
        refusal = low_score(float(aligned.confidence[0]), min_score)
    except Refusal as nothing:
        refusal = nothing
    points = [] if aligned is None else _points(model, seen, aligned, (min_score, refusal))
    _report(args, model, (aligned, refusal), points, time.perf_counter() - started)
    if args.output:
        note = "" if refusal is None else refusal.code.name
        if aligned is None:
            drawn = draw_refusal(seen.image, f"{model.info.name}: {note}")
        else:
            drawn = draw_alignment(seen.image, model, aligned, refused=note)
        write_image(args.output, drawn)
    return 0 if refusal is None else REFUSED


def _points(
    model: ClassRepresentation, seen: Observation, aligned: Alignment, verdict: tuple[float, Refusal | None]
) -> list[dict[str, Any]]:
    min_score, refusal = verdict
    ids = model.seen.nonzero()[:, 0]
    found = pipeline.transfer_keypoints(model, seen, aligned, ids)
    names = [model.info.keypoint_names[i] for i in ids.tolist()]
    return pictures.points_json(judged(found, min_score, refusal is not None), names)


def _report(
    args: argparse.Namespace,
    model: ClassRepresentation,
    outcome: tuple[Alignment | None, Refusal | None],
    points: list[dict[str, Any]],
    seconds: float,
) -> None:
    aligned, refusal = outcome
    if aligned is not None:
        print(f"{model.info.name}: confidence {float(aligned.confidence[0]):.2f}")
    pictures.print_points(points)
    if refusal is not None:
        say_refused("align", refusal, args.image)
    if args.json:
        head = {"class": model.info.name, "image": str(args.image), "refused": refused_json(refusal)}
        found = _content(aligned, refusal is None)
        tail = {"seconds": round(seconds, 3), "peak_memory": peak_memory(), "keypoints": points}
        write_json(args.json, {**head, **found, **tail})


def _content(aligned: Alignment | None, accepted: bool) -> dict[str, Any]:
    """Numbers of the best hypothesis; of a refused one only those that say how bad it is."""
    if aligned is None:
        return {"confidence": None, "metric": False, "pose": None}
    pose = {
        "rotation": aligned.rotation[0].tolist(),
        "translation": aligned.translation[0].tolist(),
        "scale": float(aligned.scale[0]),
    }
    return {
        "confidence": float(aligned.confidence[0]),
        "energy": float(aligned.energy[0]),
        "energy_by_term": {name: float(values[0]) for name, values in aligned.energy_by_term.items()},
        "metric": aligned.metric and accepted,
        "focal_px": aligned.camera.focal.tolist(),
        "pose": pose if accepted else None,
    }
