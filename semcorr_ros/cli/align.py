"""Align a class to one picture: where it is, how it is turned, and where its keypoints are."""

from __future__ import annotations

import time
from typing import Any

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Observation
from semcorr_ros.cli import _pictures as pictures
from semcorr_ros.cli._options.align import AlignOptions
from semcorr_ros.cli._providers import device_from, live_from
from semcorr_ros.cli._refused import REFUSED, refused_json, say_refused
from semcorr_ros.memory import peak_memory
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.refusal import Refusal
from semcorr_ros.sensing.judgement import judged, low_score, min_score_for
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.overlay import draw_alignment, draw_refusal


def run(options: AlignOptions) -> int:
    """Returns 0, or 1 where the class was not found surely enough: the JSON says why, the picture shows it.

    A picture that cannot be read raises with the reason.
    """
    model = read_class(options.picture.class_file, device_from(options.sources.compute))
    providers = live_from(options.sources, options.picture.class_file)
    min_score = min_score_for(providers.features.backbone, options.judgement.min_score)
    started = time.perf_counter()
    given = options.picture
    picture = pictures.Picture(given.image, given.depth, given.mask, given.camera)
    seen = pictures.see(picture, providers, model)
    aligned: Alignment | None = None
    try:
        with pictures.bars() as progress:
            aligned = pictures.align(options.alignment, model, seen, progress, options.picture.image.name)
        refusal = low_score(float(aligned.confidence[0]), min_score)
    except Refusal as nothing:
        refusal = nothing
    points = [] if aligned is None else _points(model, seen, aligned, (min_score, refusal))
    _report(options, model, (aligned, refusal), points, time.perf_counter() - started)
    if options.output.output:
        note = "" if refusal is None else refusal.code.name
        if aligned is None:
            drawn = draw_refusal(seen.image, f"{model.info.name}: {note}")
        else:
            drawn = draw_alignment(seen.image, model, aligned, refused=note)
        write_image(options.output.output, drawn)
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
    options: AlignOptions,
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
        say_refused("align", refusal, options.picture.image)
    if options.output.json:
        head = {
            "class": model.info.name,
            "image": str(options.picture.image),
            "refused": refused_json(refusal),
        }
        found = _content(aligned, refusal is None)
        tail = {"seconds": round(seconds, 3), "peak_memory": peak_memory(), "keypoints": points}
        write_json(options.output.json, {**head, **found, **tail})


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
