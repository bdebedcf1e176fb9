"""Train the `tiny` backbone on rendered objects, or measure it on instances it never saw."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_lab.synthetic.categories import available
from semcorr_lab.training.feature_quality import quality
from semcorr_lab.training.rendered_samples import RenderedSample, Request, fill_cache, read_sample
from semcorr_lab.training.tiny_backbone import TrainingConfig, train
from semcorr_lab.training.tiny_classes import class_codebook
from semcorr_lab.training.tiny_targets import Codebook
from semcorr_ros.features import tiny
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.feature_picture import feature_picture

_UNSEEN = 24  # pictures per category that the quality is measured on
_DRAWN = 4  # of them, with --picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    default = TrainingConfig()
    parser.description = __doc__
    parser.add_argument("--work", type=Path, default=Path("runs/train_tiny"), help="pictures and checkpoint")
    parser.add_argument("--output", type=Path, default=tiny.WEIGHTS, help="weights file to write")
    parser.add_argument("--evaluate", action="store_true", help="measure --output instead of training it")
    parser.add_argument("--categories", nargs="+", default=None, help="default: all procedural ones")
    parser.add_argument("--images", type=int, default=498, help="training pictures per category")
    parser.add_argument("--unseen", type=int, default=_UNSEEN, help="test pictures per category")
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument(
        "--sides", type=int, nargs=3, default=default.sides, help="pixels of training pictures, first to last"
    )
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate, help="of Muon")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads and rendering processes")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--json", type=Path, help="write a report here")
    parser.add_argument("--picture", type=Path, help="draw the features of unseen pictures here (PNG)")


def run(args: argparse.Namespace) -> int:
    """Train and measure; 130 after Ctrl-C (the same command goes on from the checkpoint)."""
    torch.set_num_threads(max(1, args.threads - 1))  # one makes the batches
    categories = tuple(sorted(args.categories or available()))
    codebook = class_codebook(categories, args.seed)
    report: dict[str, object] = {"categories": list(categories), "seed": args.seed}
    if not args.evaluate:
        try:
            report |= _train(args, categories, codebook)
        except KeyboardInterrupt:
            print(f"stopped; the same command goes on from {args.work}", file=sys.stderr)
            return 130
    report |= _evaluate(args, categories, codebook)
    if args.json:
        write_json(args.json, report)
    print(json.dumps(report, indent=2))
    return 0


def _train(args: argparse.Namespace, categories: tuple[str, ...], codebook: Codebook) -> dict[str, object]:
    config = TrainingConfig(
        steps=args.steps,
        batch=args.batch,
        sides=tuple(args.sides),
        learning_rate=args.learning_rate,
        seed=args.seed,
        bfloat16=args.precision == "bf16",
        device=args.device,
        workers=min(1, args.threads - 1),
    )
    start = time.monotonic()
    samples = _samples(args, categories, codebook, "train", args.images)
    rendered = time.monotonic()
    losses: list[float] = []
    with _progress() as progress:
        task = progress.add_task("train", total=config.steps)

        def on_step(step: int, loss: float) -> None:
            losses.append(loss)
            recent = sum(losses[-50:]) / len(losses[-50:])
            progress.update(task, completed=step, description=f"train (loss {recent:.3f})")

        network = train(samples, codebook, config, args.work / "checkpoint.safetensors", on_step)
    header = {"categories": list(categories), "images": len(samples), "training": dataclasses.asdict(config)}
    tiny.save_network(args.output, network, header)
    seconds = {"render": rendered - start, "train": time.monotonic() - rendered}
    final = sum(losses[-50:]) / max(1, len(losses[-50:]))
    return {"images": len(samples), "seconds": seconds, "loss": final}


def _evaluate(args: argparse.Namespace, categories: tuple[str, ...], codebook: Codebook) -> dict[str, object]:
    extractor = tiny.build(tiny.TinySettings(weights=str(args.output), device=args.device))
    samples = _samples(args, categories, codebook, "unseen", args.unseen)
    if args.picture:
        drawn = [sample.image for sample in samples[: _DRAWN * len(categories)]]
        write_image(args.picture, feature_picture(drawn, [extractor.encode_image(image) for image in drawn]))
    by_category = {
        name: dataclasses.asdict(
            quality(extractor.encode_image, [s for s in samples if s.category == name], codebook)
        )
        for name in categories
    }
    keys = ("folded", "pck", "auc")
    mean = {key: sum(row[key] for row in by_category.values()) / len(by_category) for key in keys}
    return {"backbone": extractor.backbone, "unseen": {"mean": mean, **by_category}}


def _samples(
    args: argparse.Namespace, categories: tuple[str, ...], codebook: Codebook, split: str, count: int
) -> list[RenderedSample]:
    requests = [
        Request(category, split, index, args.seed, args.work)
        for index in range(count)
        for category in categories
    ]
    with _progress() as progress:
        for _ in progress.track(
            fill_cache(requests, args.threads), total=len(requests), description=f"render {split}"
        ):
            pass
    return [
        read_sample(request.path, request.category, codebook.codes[request.category].mean.names)
        for request in requests
    ]


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
