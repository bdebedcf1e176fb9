"""Transfer places of one picture, or named keypoints of the class, to other pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr_ros import methods
from semcorr_ros.answer import Answer
from semcorr_ros.cli import _pictures as pictures
from semcorr_ros.cli._constants import quality_from
from semcorr_ros.cli._options.transfer import TransferOptions
from semcorr_ros.cli._providers import device_from
from semcorr_ros.cli._refused import REFUSED, refused_json, say_refused
from semcorr_ros.files.picture import read_image
from semcorr_ros.finder import Finder
from semcorr_ros.geometry.taken import size_taken
from semcorr_ros.methods import Model
from semcorr_ros.places import check_inside
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.matches import Matches, draw_matches, stack
from semcorr_ros.visualization.overlay import draw_refusal

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Query:
    """What is asked for: pixels of the source, or keypoints of the class by name."""

    names: tuple[str, ...]
    points: Float[Tensor, "point 2"] | None


def run(options: TransferOptions) -> int:
    """Transfer the points; return 1 where the class was not found with enough confidence: the JSON says why.

    Raises ValueError or OSError for a picture that cannot be read.
    """
    model = _model(options)
    query = _query(options, model)
    source, targets = _pictures(options)
    finder = pictures.finder_from(options.sources, options, options.method.class_file)
    with pictures.bars() as progress:
        shown, scene = pictures.find(finder, model, source, progress)
        size = size_taken(scene.frame)
        check_inside([] if query.points is None else query.points.tolist(), size, "--points, point")
        found = [pictures.find(finder, model, one, progress) for one in targets] if shown.found else []
    with torch.no_grad():
        answers = [_asked(finder, query, shown, target) for target, _ in found]
        at = query.points if query.points is not None else shown.only(query.names).pixels
    _report(options, query, shown, answers)
    if options.output.output:
        # Points are told in the pictures as they were taken.
        images = [read_image(target.image) for target in targets[: len(found)]]
        rows = list(zip(answers, images, strict=True))
        write_image(options.output.output, _picture(shown, read_image(source.image), at, rows))
    return 0 if all(answer.found for answer in [shown, *answers]) else REFUSED


def _asked(finder: Finder, query: Query, source: Answer, target: Answer) -> Answer:
    """Answer the query about a target."""
    if query.points is None:
        return target.only(query.names)
    return finder.transfer(source, query.points, query.names, target)


def _model(options: TransferOptions) -> Model:
    """Load the model that --method uses. Raises ValueError naming the option that contradicts it."""
    name, class_file = options.method.method, options.method.class_file
    # Keypoints are the class's: whatever method carries points over, the class's own one locates them.
    own = name == methods.OWN or bool(options.source.keypoints)
    if class_file is None and own:
        what = "--keypoints" if options.source.keypoints else name
        raise ValueError(f"{what} needs --class-file; see build_class")
    if options.sources.masks.masks and class_file is None:
        raise ValueError("--masks says who outlines an object of a class: it needs --class-file")
    device, quality = device_from(options.sources.compute), quality_from(options.alignment)
    if class_file is not None and own:
        return methods.load(class_file, device, quality)
    method = methods.METHODS.load(name)
    if options.judgement.min_score >= 0 and not method.needs_class:
        raise ValueError(f"--min-score is about aligned classes: --method {name} aligns none")
    return method.load(class_file, device, quality)


def _picture(
    shown: Answer,
    source: UInt8[Tensor, "height width 3"],
    asked: Float[Tensor, "point 2"],
    answers: Sequence[tuple[Answer, UInt8[Tensor, "height width 3"]]],
) -> UInt8[Tensor, "rows columns 3"]:
    """Draw a row per target; the source alone where it was refused."""
    if shown.refusal is not None:
        return draw_refusal(source, f"source: {shown.refusal.code.name}")
    rows = []
    for answer, image in answers:
        image = draw_refusal(image, answer.refusal.code.name, 0) if answer.refusal else image
        matches = Matches(asked, answer.pixels, answer.points.state, answer.names)
        rows.append(draw_matches(source, image, matches))
    return stack(rows)


def parse_points(text: str) -> Float[Tensor, "point 2"]:
    """Parse "x,y x,y" to pixels. Raises ValueError naming the part that is not a point."""
    points = []
    for part in text.split():
        try:
            x, y = (float(value) for value in part.split(","))
        except ValueError as error:
            raise ValueError(f'--points must look like "120,80 64.5,90", got {part!r}') from error
        points.append([x, y])
    if not points:
        raise ValueError('--points must look like "120,80 64.5,90", got nothing')
    return torch.tensor(points)


def _query(options: TransferOptions, model: Model) -> Query:
    if options.source.points is not None:
        points = parse_points(options.source.points)
        return Query(tuple(f"point {i + 1}" for i in range(len(points))), points)
    names = model.known if options.source.keypoints == ("all",) else options.source.keypoints
    for name in names:
        if name not in model.known:
            listed = ", ".join(model.known)
            raise ValueError(f"class {model.info.name!r} has no keypoint {name!r}; it has {listed}")
    return Query(tuple(names), None)


def _pictures(options: TransferOptions) -> tuple[pictures.Picture, list[pictures.Picture]]:
    count = len(options.targets.target)
    for flag in ("depth", "mask", "camera", "rotate"):
        files = getattr(options.targets, f"target_{flag}")
        if files and len(files) != count:
            raise ValueError(f"--target-{flag} names {len(files)} files for {count} targets")
    cameras = options.targets.target_camera or (options.source.camera,) * count
    known = (options.targets.target_depth, options.targets.target_mask, cameras)
    source, reading = options.source, pictures.reading_from(options.reading)
    turns = map(int, options.targets.target_rotate or (reading.rotate,) * count)
    targets = [
        pictures.Picture(*files, replace(reading, rotate=turn))
        for files, turn in zip(zip_longest(options.targets.target, *known), turns, strict=True)
    ]
    first = (source.source, source.source_depth, source.source_mask, source.camera)
    return pictures.Picture(*first, reading), targets


def _report(options: TransferOptions, query: Query, shown: Answer, answers: Sequence[Answer]) -> None:
    content: list[dict[str, Any]] = []
    if shown.refusal is not None:
        say_refused("transfer", shown.refusal, f"source {options.source.source}")
    for path, answer in zip(options.targets.target, answers, strict=bool(answers)):
        points = pictures.points_json(answer)
        confidence = answer.confidence if answer.placed is not None and answer.placed.judges else None
        refused = refused_json(answer.refusal)
        content.append(
            {
                "target": str(path),
                "confidence": confidence,
                "refused": refused,
                "note": answer.note,
                "points": points,
            }
        )
        print(path)
        pictures.print_points(points)
        if answer.found and answer.note:
            LOG.warning("%s: %s", path, answer.note)
        if answer.refusal is not None:
            say_refused("transfer", answer.refusal, path)
    if options.output.json:
        head = {
            "source": str(options.source.source),
            "method": options.method.method,
            "refused": refused_json(shown.refusal),
        }
        asked = None if query.points is None else query.points.tolist()
        write_json(options.output.json, {**head, "source_points": asked, "targets": content})
