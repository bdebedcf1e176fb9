"""Transfer places of one picture, or named keypoints of the class, to other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from rich.progress import Progress
from torch import Tensor

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Correspondences, KeypointState
from semcorr_ros.cli import _pictures as pictures
from semcorr_ros.cli._options.transfer import TransferOptions
from semcorr_ros.cli._providers import device_from, live_from
from semcorr_ros.cli._refused import REFUSED, refused_json, say_refused
from semcorr_ros.matching import MATCHING, View
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.refusal import Refusal
from semcorr_ros.registry import load_module
from semcorr_ros.sensing.judgement import judged, low_score, min_score_for
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.matches import Matches, draw_matches, stack
from semcorr_ros.visualization.overlay import draw_refusal


@dataclass(frozen=True)
class Query:
    """What is asked for: pixels of the source, or ids of class keypoints."""

    names: tuple[str, ...]
    points: Float[Tensor, "point 2"] | None
    ids: Int[Tensor, "point"] | None


@dataclass(frozen=True)
class Placed:
    """A picture with its alignment, where there is one, and why it is not to be believed."""

    view: View
    refusal: Refusal | None


def run(options: TransferOptions) -> int:
    """Returns 0, or 1 where the class was not found surely enough in a picture: the JSON says why.

    A picture that cannot be read raises with the reason.
    """
    matcher = _matcher(options)
    model = None
    if options.method.class_file:
        model = read_class(options.method.class_file, device_from(options.sources.compute))
    query = _query(options, model)
    source, targets = _pictures(options)
    providers = live_from(options.sources, options.method.class_file)
    judge = model if matcher.NEEDS_ALIGNMENT or query.ids is not None else None
    min_score = min_score_for(providers.features.backbone, options.judgement.min_score)

    def place(picture: pictures.Picture, progress: Progress) -> Placed:
        seen = pictures.see(picture, providers, model)
        if judge is None:
            return Placed(View(seen), None)
        try:
            aligned = pictures.align(options.alignment, judge, seen, progress, picture.image.name)
        except Refusal as refusal:
            return Placed(View(seen), refusal)
        return Placed(View(seen, aligned), low_score(float(aligned.confidence[0]), min_score))

    with pictures.bars() as progress:
        shown = place(source, progress)
        _check_inside(query, shown.view)
        placed = [place(target, progress) for target in targets] if shown.refusal is None else []

    def answer(target: Placed) -> Correspondences:
        if target.view.aligned is None and judge is not None:
            return _nowhere(len(query.names))
        found = _answer(matcher, model, query, shown.view, target.view)
        return found if judge is None else judged(found, min_score, target.refusal is not None)

    answers = [answer(target) for target in placed]
    _report(options, query, shown, list(zip(placed, answers, strict=True)))
    if options.output.output:
        asked = query.points if query.ids is None or shown.refusal else answer(shown).points
        write_image(
            options.output.output,
            _picture(shown, asked, query.names, list(zip(placed, answers, strict=True))),
        )
    return REFUSED if any(one.refusal for one in [shown, *placed]) else 0


def _matcher(options: TransferOptions) -> ModuleType:
    """The module of --method. Raises ValueError naming the argument that does not go with it."""
    matcher = load_module(MATCHING, options.method.method)
    aligns = matcher.NEEDS_ALIGNMENT or options.source.keypoints
    if options.method.class_file is None and aligns:
        what = "--keypoints" if options.source.keypoints else options.method.method
        raise ValueError(f"{what} needs --class-file; see build_class")
    if options.sources.masks.masks and options.method.class_file is None:
        raise ValueError("--masks says who outlines an object of a class: it needs --class-file")
    if options.judgement.min_score >= 0 and not aligns:
        raise ValueError(
            f"--min-score is about aligned classes: --method {options.method.method} aligns none"
        )
    return matcher


def _nowhere(count: int) -> Correspondences:
    """Points of an object that was not found."""
    state = torch.full((count,), int(KeypointState.REJECTED))
    unknown = torch.full((count, 2), torch.nan)
    return Correspondences(unknown, torch.zeros(count), state, torch.full((count, 3), torch.nan))


def _picture(
    shown: Placed,
    asked: Float[Tensor, "point 2"] | None,
    names: tuple[str, ...],
    answers: Sequence[tuple[Placed, Correspondences]],
) -> UInt8[Tensor, "height width 3"]:
    """A row per target; of a source that was refused, the source alone."""
    if shown.refusal is not None or asked is None:
        return draw_refusal(shown.view.seen.image, f"source: {_code(shown)}")
    rows = []
    for target, found in answers:
        image = target.view.seen.image
        image = draw_refusal(image, _code(target), 0) if target.refusal else image
        matches = Matches(asked, found.points, found.state, names)
        rows.append(draw_matches(shown.view.seen.image, image, matches))
    return stack(rows)


def _code(placed: Placed) -> str:
    return placed.refusal.code.name if placed.refusal else ""


def parse_points(text: str) -> Float[Tensor, "point 2"]:
    """ "x,y x,y" to pixels. Raises ValueError naming the part that is not a point."""
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


def _query(options: TransferOptions, model: ClassRepresentation | None) -> Query:
    if options.source.points is not None:
        points = parse_points(options.source.points)
        return Query(tuple(f"point {i + 1}" for i in range(len(points))), points, None)
    assert model is not None
    known = [name for name, seen in zip(model.info.keypoint_names, model.seen.tolist(), strict=True) if seen]
    names = known if options.source.keypoints == ("all",) else options.source.keypoints
    for name in names:
        if name not in known:
            raise ValueError(f"class {model.info.name!r} has no keypoint {name!r}; it has {', '.join(known)}")
    ids = [model.info.keypoint_names.index(name) for name in names]
    return Query(tuple(names), None, torch.tensor(ids, device=model.sparse.device))


def _check_inside(query: Query, source: View) -> None:
    height, width = source.seen.features.image_size
    for x, y in [] if query.points is None else query.points.tolist():
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise ValueError(f"--points: ({x:g}, {y:g}) is outside the source, which is {width}x{height}")


def _pictures(options: TransferOptions) -> tuple[pictures.Picture, list[pictures.Picture]]:
    count = len(options.targets.target)
    for flag in ("depth", "mask", "camera"):
        files = getattr(options.targets, f"target_{flag}")
        if files and len(files) != count:
            raise ValueError(f"--target-{flag} names {len(files)} files for {count} targets")
    cameras = options.targets.target_camera or (options.source.camera,) * count
    known = (options.targets.target_depth, options.targets.target_mask, cameras)
    targets = [pictures.Picture(*files) for files in zip_longest(options.targets.target, *known)]
    source = options.source
    return pictures.Picture(source.source, source.source_depth, source.source_mask, source.camera), targets


def _answer(
    matcher: ModuleType, model: ClassRepresentation | None, query: Query, source: View, target: View
) -> Correspondences:
    with torch.no_grad():
        if query.ids is None:
            assert query.points is not None
            return matcher.match(model, source, target, query.points.to(source.seen.features.values))
        assert model is not None
        assert target.aligned is not None
        return pipeline.transfer_keypoints(model, target.seen, target.aligned, query.ids)


def _report(
    options: TransferOptions, query: Query, shown: Placed, answers: Sequence[tuple[Placed, Correspondences]]
) -> None:
    content: list[dict[str, Any]] = []
    if shown.refusal is not None:
        say_refused("transfer", shown.refusal, f"source {options.source.source}")
    for path, (target, found) in zip(options.targets.target, answers, strict=bool(answers)):
        points = pictures.points_json(found, query.names)
        aligned = target.view.aligned
        confidence = None if aligned is None else float(aligned.confidence[0])
        refused = refused_json(target.refusal)
        content.append({"target": str(path), "confidence": confidence, "refused": refused, "points": points})
        print(path)
        pictures.print_points(points)
        if target.refusal is not None:
            say_refused("transfer", target.refusal, path)
    if options.output.json:
        head = {
            "source": str(options.source.source),
            "method": options.method.method,
            "refused": refused_json(shown.refusal),
        }
        asked = None if query.points is None else query.points.tolist()
        write_json(options.output.json, {**head, "source_points": asked, "targets": content})
