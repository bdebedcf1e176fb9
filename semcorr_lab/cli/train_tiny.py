"""Train the `tiny` backbone on rendered objects, or measure it on instances it never saw."""

from __future__ import annotations

import dataclasses
import json
import sys
import time

import torch

from semcorr_lab.cli._options.train_tiny import TrainTinyOptions
from semcorr_lab.synthetic.categories import available
from semcorr_lab.training.feature_quality import quality
from semcorr_lab.training.rendered_samples import RenderedSample, Request, fill_cache, read_sample
from semcorr_lab.training.tiny_backbone import TrainingConfig, train
from semcorr_lab.training.tiny_classes import class_codebook
from semcorr_lab.training.tiny_targets import Codebook
from semcorr_ros.cli._progress import counted
from semcorr_ros.features import tiny
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.feature_picture import feature_picture

_DRAWN = 4  # of them, with --picture


def run(options: TrainTinyOptions) -> int:
    """Train and measure; 130 after Ctrl-C (the same command goes on from the checkpoint)."""
    torch.set_num_threads(max(1, options.threads - 1))  # one makes the batches
    categories = tuple(sorted(options.categories or available()))
    codebook = class_codebook(categories, options.seed)
    report: dict[str, object] = {"categories": list(categories), "seed": options.seed}
    if not options.evaluate:
        try:
            report |= _train(options, categories, codebook)
        except KeyboardInterrupt:
            print(f"stopped; the same command goes on from {options.work}", file=sys.stderr)
            return 130
    report |= _evaluate(options, categories, codebook)
    if options.json:
        write_json(options.json, report)
    print(json.dumps(report, indent=2))
    return 0


def _train(options: TrainTinyOptions, categories: tuple[str, ...], codebook: Codebook) -> dict[str, object]:
    config = TrainingConfig(
        steps=options.training.steps,
        batch=options.training.batch,
        sides=tuple(options.training.sides),
        learning_rate=options.training.learning_rate,
        seed=options.seed,
        bfloat16=options.training.precision == "bf16",
        device=options.device,
        workers=min(1, options.threads - 1),
    )
    start = time.monotonic()
    samples = _samples(options, categories, codebook, "train", options.training.images)
    rendered = time.monotonic()
    losses: list[float] = []
    with counted() as progress:
        task = progress.add_task("train", total=config.steps)

        def on_step(step: int, loss: float) -> None:
            losses.append(loss)
            recent = sum(losses[-50:]) / len(losses[-50:])
            progress.update(task, completed=step, description=f"train (loss {recent:.3f})")

        network = train(samples, codebook, config, options.work / "checkpoint.safetensors", on_step)
    header = {"categories": list(categories), "images": len(samples), "training": dataclasses.asdict(config)}
    tiny.save_network((options.output or tiny.WEIGHTS), network, header)
    seconds = {"render": rendered - start, "train": time.monotonic() - rendered}
    final = sum(losses[-50:]) / max(1, len(losses[-50:]))
    return {"images": len(samples), "seconds": seconds, "loss": final}


def _evaluate(
    options: TrainTinyOptions, categories: tuple[str, ...], codebook: Codebook
) -> dict[str, object]:
    extractor = tiny.build(
        tiny.TinySettings(weights=str(options.output or tiny.WEIGHTS), device=options.device)
    )
    samples = _samples(options, categories, codebook, "unseen", options.unseen)
    if options.picture:
        drawn = [sample.image for sample in samples[: _DRAWN * len(categories)]]
        write_image(
            options.picture, feature_picture(drawn, [extractor.encode_image(image) for image in drawn])
        )
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
    options: TrainTinyOptions, categories: tuple[str, ...], codebook: Codebook, split: str, count: int
) -> list[RenderedSample]:
    requests = [
        Request(category, split, index, options.seed, options.work)
        for index in range(count)
        for category in categories
    ]
    with counted() as progress:
        for _ in progress.track(
            fill_cache(requests, options.threads), total=len(requests), description=f"render {split}"
        ):
            pass
    return [
        read_sample(request.path, request.category, codebook.codes[request.category].mean.names)
        for request in requests
    ]
