"""Transfer places of one picture, or named keypoints of the class, to other pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr_ros import methods
from semcorr_ros.answer import Answer
from semcorr_ros.cli import _picture_arguments as pictures
from semcorr_ros.cli._alignment_arguments import quality_from
from semcorr_ros.cli._data_arguments import device_from
from semcorr_ros.cli._score_arguments import REFUSED, refused_json, say_refused
from semcorr_ros.finder import Finder
from semcorr_ros.methods import Model
from semcorr_ros.observations import Scene
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.matches import Matches, draw_matches, stack
from semcorr_ros.visualization.overlay import draw_refusal


@dataclass(frozen=True)
class Query:
    """What is asked for: pixels of the source, or keypoints of the class by name."""

    names: tuple[str, ...]
    points: Float[Tensor, "point 2"] | None


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
    parser.add_argument("--method", default="aligned", choices=[methods.OWN, *methods.METHODS.names()])
    pictures.add_arguments(parser, class_required=False)


def run(args: argparse.Namespace) -> int:
    """Returns 0, or 1 where the class was not found surely enough in a picture: the JSON says why.

    A picture that cannot be read raises with the reason.
    """
    model = _model(args)
    query = _query(args, model)
    source, targets = _pictures(args)
    finder = pictures.finder_from(args, args.class_file)
    with pictures.bars() as progress:
        shown, scene = pictures.find(finder, model, source, progress)
        _check_inside(query, scene)
        found = [pictures.find(finder, model, one, progress) for one in targets] if shown.found else []
    with torch.no_grad():
        answers = [_asked(finder, query, shown, target) for target, _ in found]
        at = query.points if query.points is not None else _asked(finder, query, shown, shown).pixels
    _report(args, query, shown, answers)
    if args.output:
        images = [target.frame.image for _, target in found]
        write_image(
            args.output, _picture(shown, scene.frame.image, at, list(zip(answers, images, strict=True)))
        )
    return 0 if all(answer.found for answer in [shown, *answers]) else REFUSED


def _asked(finder: Finder, query: Query, source: Answer, target: Answer) -> Answer:
    """Answer the query about a target."""
    if query.points is None:
        return target.only(query.names)
    return finder.transfer(source, query.points, query.names, target)


def _model(args: argparse.Namespace) -> Model:
    """Load what --method places. Raises ValueError naming the argument that does not go with it."""
    # Keypoints are the class's: whatever method carries points over, the class's own one locates them.
    own = args.method == methods.OWN or args.keypoints is not None
    if args.class_file is None and own:
        name = "--keypoints" if args.keypoints else args.method
        raise ValueError(f"{name} needs --class-file; see build_class")
    if args.masks and args.class_file is None:
        raise ValueError("--masks says who outlines an object of a class: it needs --class-file")
    if own:
        return pictures.class_from(args)
    method = methods.METHODS.load(args.method)
    if args.min_score is not None and not method.needs_class:
        raise ValueError(f"--min-score is about aligned classes: --method {args.method} aligns none")
    return method.load(args.class_file, device_from(args), quality_from(args))


def _picture(
    shown: Answer,
    source: UInt8[Tensor, "height width 3"],
    asked: Float[Tensor, "point 2"],
    answers: Sequence[tuple[Answer, UInt8[Tensor, "height width 3"]]],
) -> UInt8[Tensor, "height width 3"]:
    """Draw a row per target; of a source that was refused, the source alone."""
    if shown.refusal is not None:
        return draw_refusal(source, f"source: {shown.refusal.code.name}")
    rows = []
    for answer, image in answers:
        image = draw_refusal(image, answer.refusal.code.name, 0) if answer.refusal else image
        matches = Matches(asked, answer.pixels, answer.points.state, answer.names)
        rows.append(draw_matches(source, image, matches))
    return stack(rows)


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


def _query(args: argparse.Namespace, model: Model) -> Query:
    if args.points is not None:
        points = parse_points(args.points)
        return Query(tuple(f"point {i + 1}" for i in range(len(points))), points)
    names = list(model.known) if args.keypoints == ["all"] else args.keypoints
    for name in names:
        if name not in model.known:
            listed = ", ".join(model.known)
            raise ValueError(f"class {model.info.name!r} has no keypoint {name!r}; it has {listed}")
    return Query(tuple(names), None)


def _check_inside(query: Query, source: Scene) -> None:
    height, width = source.size
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


def _report(args: argparse.Namespace, query: Query, shown: Answer, answers: Sequence[Answer]) -> None:
    content: list[dict[str, Any]] = []
    if shown.refusal is not None:
        say_refused("transfer", shown.refusal, f"source {args.source}")
    for path, answer in zip(args.target, answers, strict=bool(answers)):
        points = pictures.points_json(answer)
        placed = answer.placed is not None and answer.pose is not None
        confidence = answer.confidence if placed else None
        refused = refused_json(answer.refusal)
        content.append({"target": str(path), "confidence": confidence, "refused": refused, "points": points})
        print(path)
        pictures.print_points(points)
        if answer.refusal is not None:
            say_refused("transfer", answer.refusal, path)
    if args.json:
        head = {"source": str(args.source), "method": args.method, "refused": refused_json(shown.refusal)}
        asked = None if query.points is None else query.points.tolist()
        write_json(args.json, {**head, "source_points": asked, "targets": content})
