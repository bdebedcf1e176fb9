"""Transfer places of one picture, or named keypoints of the class, to other pictures."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, Int
from rich.progress import Progress
from torch import Tensor

from semcorr_ros import pipeline, plugins
from semcorr_ros.artifacts import ClassRepresentation, Correspondences
from semcorr_ros.cli import _picture_arguments as pictures
from semcorr_ros.cli._live_arguments import live_from
from semcorr_ros.matching import View
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.matches import Matches, draw_matches, stack


@dataclass(frozen=True)
class Query:
    """What is asked for: pixels of the source, or ids of class keypoints."""

    names: tuple[str, ...]
    points: Float[Tensor, "point 2"] | None
    ids: Int[Tensor, "point"] | None


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
    """Returns 0; a picture that cannot be read or aligned raises with the reason."""
    matcher = plugins.load("matching", args.method)
    if args.class_file is None and (matcher.NEEDS_ALIGNMENT or args.keypoints):
        raise ValueError(
            f"{'--keypoints' if args.keypoints else args.method} needs --class-file; see build_class"
        )
    if args.masks and args.class_file is None:
        raise ValueError("--masks says who outlines an object of a class: it needs --class-file")
    model = pictures.class_from(args) if args.class_file else None
    query = _query(args, model)
    source, targets = _pictures(args)
    providers = live_from(args, args.class_file)
    needs_alignment = matcher.NEEDS_ALIGNMENT or query.ids is not None

    def view(picture: pictures.Picture, progress: Progress) -> View:
        seen = pictures.see(picture, providers, model)
        if not needs_alignment or model is None:
            return View(seen)
        return View(seen, pictures.align(args, model, seen, progress, picture.image.name))

    with pictures.bars() as progress:
        from_view = view(source, progress)
        _check_inside(query, from_view)
        to_views = [view(target, progress) for target in targets]
    asked = (
        _answer(matcher, model, query, from_view, from_view).points if query.ids is not None else query.points
    )
    answers = [_answer(matcher, model, query, from_view, to_view) for to_view in to_views]
    _report(args, query, answers)
    if args.output:
        assert asked is not None
        rows = [
            draw_matches(
                from_view.seen.image, to.seen.image, Matches(asked, found.points, found.state, query.names)
            )
            for to, found in zip(to_views, answers, strict=True)
        ]
        write_image(args.output, stack(rows))
    return 0


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


def _report(args: argparse.Namespace, query: Query, answers: list[Correspondences]) -> None:
    content: list[dict[str, Any]] = []
    for target, found in zip(args.target, answers, strict=True):
        points = pictures.points_json(found, query.names)
        content.append({"target": str(target), "points": points})
        print(target)
        pictures.print_points(points)
    if args.json:
        head = {"source": str(args.source), "method": args.method}
        asked = None if query.points is None else query.points.tolist()
        write_json(args.json, {**head, "source_points": asked, "targets": content})
