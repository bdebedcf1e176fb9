"""Align a class to one picture: where it is, how it is turned, and where its keypoints are."""

from __future__ import annotations

import logging
import time
from typing import Any

from semcorr_ros import methods
from semcorr_ros.answer import Answer
from semcorr_ros.cli import _pictures as pictures
from semcorr_ros.cli._constants import quality_from
from semcorr_ros.cli._options.align import AlignOptions
from semcorr_ros.cli._providers import device_from
from semcorr_ros.cli._refused import REFUSED, refused_json, say_refused
from semcorr_ros.memory import peak_memory
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.overlay import draw_answer

LOG = logging.getLogger(__name__)


def run(options: AlignOptions) -> int:
    """Align the class; return 1 where it was not found with enough confidence: the JSON says why, the picture
    shows it.

    Raises ValueError or OSError for a picture that cannot be read.
    """
    given = options.picture
    device, quality = device_from(options.sources.compute), quality_from(options.alignment)
    model = methods.load(given.class_file, device, quality)
    finder = pictures.finder_from(options.sources, options, given.class_file)
    started = time.perf_counter()
    reading = pictures.reading_from(options.reading)
    picture = pictures.Picture(given.image, given.depth, given.mask, given.camera, reading)
    with pictures.bars() as progress:
        answer, scene = pictures.find(finder, model, picture, progress)
    shown = answer if answer.placed is None else answer.only(model.known)
    _report(options, shown, time.perf_counter() - started)
    if options.output.output:
        write_image(options.output.output, draw_answer(scene.frame.image, answer))
    return 0 if answer.found else REFUSED


def _report(options: AlignOptions, answer: Answer, seconds: float) -> None:
    points = pictures.points_json(answer) if answer.placed else []
    if answer.placed is not None:
        sure = f"confidence {answer.confidence:.2f}" if answer.placed.judges else "it cannot judge itself"
        print(f"{answer.info.name}: {sure}")
    pictures.print_points(points)
    if answer.found and answer.note:
        LOG.warning("%s: %s", options.picture.image, answer.note)
    if answer.refusal is not None:
        say_refused("align", answer.refusal, options.picture.image)
    if options.output.json:
        head = {
            "class": answer.info.name,
            "image": str(options.picture.image),
            "refused": refused_json(answer.refusal),
            "note": answer.note,
        }
        tail = {"seconds": round(seconds, 3), "peak_memory": peak_memory(), "keypoints": points}
        write_json(options.output.json, {**head, **_content(answer), **tail})


def _content(answer: Answer) -> dict[str, Any]:
    """Collect the numbers of a placement; of a refused one only those that say how bad it is."""
    if answer.placed is None:
        return {"confidence": None, "metric": False, "pose": None}
    told = {"confidence": answer.confidence if answer.placed.judges else None, **answer.placed.facts}
    if answer.pose is None or not answer.found:
        return {**told, "metric": False, "pose": None}
    pose = {
        "rotation": answer.pose.rotation.tolist(),
        "translation": answer.pose.translation.tolist(),
        "scale": answer.pose.scale,
    }
    return {**told, "metric": answer.pose.metric, "pose": pose}
