"""Align a class to one picture: where it is, how it is turned, and where its keypoints are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from semcorr_ros.answer import Answer
from semcorr_ros.cli import _picture_arguments as pictures
from semcorr_ros.cli._score_arguments import REFUSED, refused_json, say_refused
from semcorr_ros.memory import peak_memory
from semcorr_ros.storage import write_image, write_json


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
    finder = pictures.finder_from(args, args.class_file)
    started = time.perf_counter()
    picture = pictures.Picture(args.image, args.depth, args.mask, args.camera)
    with pictures.bars() as progress:
        answer, scene = pictures.find(finder, model, picture, progress)
    shown = answer if answer.placed is None else answer.only(model.known)
    _report(args, shown, time.perf_counter() - started)
    if args.output:
        write_image(args.output, answer.draw(scene.frame.image))
    return 0 if answer.found else REFUSED


def _report(args: argparse.Namespace, answer: Answer, seconds: float) -> None:
    points = pictures.points_json(answer) if answer.placed else []
    if answer.placed is not None:
        print(f"{answer.info.name}: confidence {answer.confidence:.2f}")
    pictures.print_points(points)
    if answer.refusal is not None:
        say_refused("align", answer.refusal, args.image)
    if args.json:
        head = {
            "class": answer.info.name,
            "image": str(args.image),
            "refused": refused_json(answer.refusal),
        }
        tail = {"seconds": round(seconds, 3), "peak_memory": peak_memory(), "keypoints": points}
        write_json(args.json, {**head, **_content(answer), **tail})


def _content(answer: Answer) -> dict[str, Any]:
    """Numbers of the placement; of a refused one only those that say how bad it is."""
    if answer.placed is None or answer.pose is None:
        return {"confidence": None, "metric": False, "pose": None}
    pose = {
        "rotation": answer.pose.rotation.tolist(),
        "translation": answer.pose.translation.tolist(),
        "scale": answer.pose.scale,
    }
    return {
        "confidence": answer.confidence,
        **answer.placed.facts,
        "metric": answer.pose.metric and answer.found,
        "pose": pose if answer.found else None,
    }
