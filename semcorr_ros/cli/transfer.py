"""Transfer places of one picture, or named keypoints of the class, to other pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from rich.progress import Progress
from torch import Tensor

from semcorr_ros import pipeline, plugins
from semcorr_ros.artifacts import Correspondences, KeypointState
from semcorr_ros.cli import _picture_arguments as pictures
from semcorr_ros.cli._live_arguments import live_from
from semcorr_ros.cli._score_arguments import REFUSED, min_score_from, refused_json, say_refused
from semcorr_ros.matching import View
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.refusal import Refusal
from semcorr_ros.sensing.judgement import judged, low_score
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `semcorr_ros transfer`."""
    parser.add_argument(
        "--source", type=Path, required=True, metavar="FILE", help="picture that is pointed at"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--points", metavar='"X,Y X,Y"', help="pixels of the source")
    what.add_argument("--keypoints", nargs="+", metavar="NAME", help='keypoints of the class, or "all"')
    parser.add_argument("--target", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument(
        "--source-depth", type=Path, metavar="FILE", help="16-bit mm .png or float metres .npy"
    )
    parser.add_argument(
        "--target-depth", type=Path, nargs="+", default=[], metavar="FILE", help="one per target"
    )
    parser.add_argument("--source-mask", type=Path, metavar="PNG", help="above 127 = object")
    parser.add_argument(
        "--target-mask", type=Path, nargs="+", default=[], metavar="PNG", help="one per target"
    )
    parser.add_argument(
        "--target-camera",
        type=Path,
        nargs="+",
        default=[],
        metavar="JSON",
        help="one per target (default: --camera)",
    )
    parser.add_argument("--method", default="aligned", choices=plugins.available("matching"))
    pictures.add_arguments(parser, class_required=False)


def run(args: argparse.Namespace) -> int:
    """Returns 0, or 1 where the class was not found surely enough in a picture: the JSON says why.

    A picture that cannot be read raises with the reason.
    """
    matcher = _matcher(args)
    model = pictures.class_from(args) if args.class_file else None
    query = _query(args, model)
    source, targets = _pictures(args)
    providers = live_from(args, args.class_file)
    judge = model if matcher.NEEDS_ALIGNMENT or query.ids is not None else None
    min_score = min_score_from(args, providers.features.backbone)

    def place(picture: pictures.Picture, progress: Progress) -> Placed:
        seen = pictures.see(picture, providers, model)
        if judge is None:
            return Placed(View(seen), None)
        try:
            aligned = pictures.align(args, judge, seen, progress, picture.image.name)
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
    _report(args, query, shown, list(zip(placed, answers, strict=True)))
    if args.output:
        asked = query.points if query.ids is None or shown.refusal else answer(shown).points
        write_image(args.output, _picture(shown, asked, query.names, list(zip(placed, answers, strict=True))))
    return REFUSED if any(one.refusal for one in [shown, *placed]) else 0


def _matcher(args: argparse.Namespace) -> ModuleType:
    """The module of --method. Raises ValueError naming the argument that does not go with it."""
    matcher = plugins.load("matching", args.method)
    aligns = matcher.NEEDS_ALIGNMENT or args.keypoints
    if args.class_file is None and aligns:
        raise ValueError(
            f"{'--keypoints' if args.keypoints else args.method} needs --class-file; see build_class"
        )
    if args.masks and args.class_file is None:
        raise ValueError("--masks says who outlines an object of a class: it needs --class-file")
    if args.min_score is not None and not aligns:
        raise ValueError(f"--min-score is about aligned classes: --method {args.method} aligns none")
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


def _query(args: argparse.Namespace, model: ClassRepresentation | None) -> Query:
    if args.points is not None:
        points = parse_points(args.points)
        return Query(tuple(f"point {i + 1}" for i in range(len(points))), points, None)
    assert model is not None
    known = [name for name, seen in zip(model.info.keypoint_names, model.seen.tolist(), strict=True) if seen]
    names = known if args.keypoints == ["all"] else args.keypoints
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


def _pictures(args: argparse.Namespace) -> tuple[pictures.Picture, list[pictures.Picture]]:
    count = len(args.target)
    for flag in ("depth", "mask", "camera"):
        files = getattr(args, f"target_{flag}")
        if files and len(files) != count:
            raise ValueError(f"--target-{flag} names {len(files)} files for {count} targets")
    known = (args.target_depth, args.target_mask, args.target_camera or [args.camera] * count)
    targets = [pictures.Picture(*files) for files in zip_longest(args.target, *known)]
    return pictures.Picture(args.source, args.source_depth, args.source_mask, args.camera), targets


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
    args: argparse.Namespace, query: Query, shown: Placed, answers: Sequence[tuple[Placed, Correspondences]]
) -> None:
    content: list[dict[str, Any]] = []
    if shown.refusal is not None:
        say_refused("transfer", shown.refusal, f"source {args.source}")
    for path, (target, found) in zip(args.target, answers, strict=bool(answers)):
        points = pictures.points_json(found, query.names)
        aligned = target.view.aligned
        confidence = None if aligned is None else float(aligned.confidence[0])
        refused = refused_json(target.refusal)
        content.append({"target": str(path), "confidence": confidence, "refused": refused, "points": points})
        print(path)
        pictures.print_points(points)
        if target.refusal is not None:
            say_refused("transfer", target.refusal, path)
    if args.json:
        head = {"source": str(args.source), "method": args.method, "refused": refused_json(shown.refusal)}
        asked = None if query.points is None else query.points.tolist()
        write_json(args.json, {**head, "source_points": asked, "targets": content})
