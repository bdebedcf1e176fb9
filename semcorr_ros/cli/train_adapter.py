"""Train an adapter on a frozen backbone, from pseudo-labels or from annotated keypoints."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from semcorr_ros.adapter.config import Material, TrainConfig
from semcorr_ros.adapter.diy_sc import read_diy_sc
from semcorr_ros.adapter.gathering import material_of, samples_of
from semcorr_ros.adapter.keypoint_labels import keypoint_labels
from semcorr_ros.adapter.labels import Labels, find_labels, merged, only_categories
from semcorr_ros.adapter.maps import MapConfig, encode, read_map
from semcorr_ros.adapter.trainer import best_step, chosen, train
from semcorr_ros.backbones import MADE_BY, OPTIONS, Origin, kept_options
from semcorr_ros.checkpoint import Run
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._options.sources import DatasetOptions
from semcorr_ros.cli._options.train_adapter import TrainAdapterOptions
from semcorr_ros.cli._origins import origins
from semcorr_ros.cli._progress import counted
from semcorr_ros.datasets import Dataset
from semcorr_ros.encoded_pictures import Skipped
from semcorr_ros.features._adapter_network import Adapter, HeadConfig, head_for, write_adapter
from semcorr_ros.features._below import check_below
from semcorr_ros.memory import peak_memory
from semcorr_ros.observations import Providers
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.curve_picture import curve_picture

KEYPOINT_DEFAULTS = {"lr": 1.25e-3, "double_flip": 1.0, "self_flip": 0.25}  # of GeoAware-SC
PICTURES = (".png", ".jpg", ".jpeg")
SHOWN = 5  # skipped pictures printed; all are in the report


@dataclass(frozen=True)
class Found:
    """Labels, the pictures that they name, and those that cannot be used."""

    labels: Labels
    material: Material
    skipped: list[Skipped]


def run(options: TrainAdapterOptions) -> int:
    """Encode, train, and write adapter, report and curve. 130 after Ctrl-C: the same command goes on.

    Raises ValueError or OSError.
    """
    _check(options)
    started = time.monotonic()
    labels, dataset = _labels(options)
    sources = options.sources
    if not (sources.depth.depth or sources.depth.depth_dir):
        sources = replace(sources, depth=replace(sources.depth, depth="none"))  # nothing here looks at it
    named = data.providers_from(sources, _origin(labels), annotated=True)
    check_below(named.features.backbone)
    with counted() as bar:
        found = _encoded(options, labels, dataset, named, bar)
        first = found.material.pictures[found.material.matches[0].source]
        channels = read_map(first, 0).values.shape[-1]
        head = head_for(named.features.backbone, channels, options.head.sources, options.head.width)
        trained = _train(options, found.material, head, bar)
    provenance = labels.provenance | {"seed": str(options.schedule.seed), MADE_BY: "train_adapter"}
    provenance = {key: value for key, value in provenance.items() if key not in ("root", "backbone")}
    provenance |= origins(sources, named) | kept_options(
        sources.features.backbone_options, sources.features.weights
    )
    write_adapter(options.output.output, Adapter(chosen(trained), named.features.backbone, provenance))
    report = _report(options, found, head, trained) | {"backbone": named.features.backbone}
    report |= {"dataset_problems": dataset.problems(), "seconds": round(time.monotonic() - started, 1)}
    write_json(options.output.json or options.output.output.with_suffix(".json"), report)
    write_image(options.output.curve or _beside(options.output.output), curve_picture(trained.losses))
    _print_summary(options, report)
    return 0


def _check(options: TrainAdapterOptions) -> None:
    """Refuse before anything is encoded what could not be written at the end. Raises ValueError."""
    output = options.output
    if output.output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {output.output.name!r}")
    if output.curve is not None and output.curve.suffix.lower() not in PICTURES:
        raise ValueError(f"--curve {output.curve}: its ending says no image format; name it .png or .jpg")
    written = [path.resolve() for path in (output.output, output.json, output.curve) if path]
    if len(set(written)) < len(written):
        raise ValueError("--output, --json and --curve must be different files")
    if options.labels.labels is not None and options.head.self_flip:
        raise ValueError("--self-flip needs keypoints: pseudo-labels do not say what is left and right")


def _labels(options: TrainAdapterOptions) -> tuple[Labels, Dataset]:
    given = options.labels
    if given.labels is None:
        assert given.root is not None
        dataset = data.dataset_from(DatasetOptions(given.root, given.dataset or "spair71k"))
        return _keypoints(options, dataset), dataset
    if given.labels.suffix == ".pt":
        labels = only_categories(read_diy_sc(given.labels), given.category)
    else:
        labels = only_categories(find_labels(given.labels), given.category)
    root = given.root or Path(labels.provenance.get("root", ""))
    if given.root is None and "root" not in labels.provenance:
        raise ValueError(f"{given.labels} does not say of which data set it is: give --root")
    kind = given.dataset or labels.provenance.get("dataset", "spair71k")
    return labels, data.dataset_from(DatasetOptions(root, kind))


def _keypoints(options: TrainAdapterOptions, dataset: Dataset) -> Labels:
    schedule, found = options.schedule, []
    for name in list(options.labels.category) or dataset.categories():
        if name not in dataset.categories():
            known = ", ".join(dataset.categories()) or "none"
            raise ValueError(f"{options.labels.root} has no category {name!r}; it has {known}")
        draws = torch.Generator().manual_seed(schedule.seed)
        samples = dataset.images(name, schedule.split)
        if schedule.max_images is not None and schedule.max_images < len(samples):
            kept = torch.randperm(len(samples), generator=draws)[: schedule.max_images].sort().values
            samples = [samples[i] for i in kept.tolist()]
        found.append(keypoint_labels(samples, dataset.info(name), schedule.max_pairs, draws))
    labels = merged(found)
    origin = {"dataset": options.labels.dataset or "spair71k", "split": schedule.split, "labels": "keypoints"}
    return replace(labels, provenance=origin)


def _origin(labels: Labels) -> Origin | None:
    """Say what pseudo-labels were found with: the backbone to adapt, where no other is given."""
    backbone = labels.provenance.get("backbone", "")
    if not backbone:
        return None
    options = tuple(labels.provenance.get(OPTIONS, "").split())
    return Origin(", ".join(labels.categories), backbone, options, "mesh_prior")


def _encoded(
    options: TrainAdapterOptions, labels: Labels, dataset: Dataset, providers: Providers, bar: Progress
) -> Found:
    samples, skipped = samples_of(labels, dataset)
    flips = _train_config(options)
    how = MapConfig(
        options.schedule.crops, flips.double_flip > 0 or flips.self_flip > 0, options.schedule.seed
    )
    task = bar.add_task("encode", total=len(samples))
    with torch.no_grad():
        tick = partial(bar.advance, task)
        pictures, failed = encode(samples, providers, how, _work(options) / "maps", tick)
    try:
        material = material_of(labels, pictures, options.schedule.held_out)
    except ValueError as error:
        said = [f"{one.name}: {one.reason}" for one in (*skipped, *failed)] or dataset.problems()
        raise ValueError(f"{error}; {said[0]}" if said else str(error)) from error
    return Found(labels, material, [*skipped, *failed])


def _train(options: TrainAdapterOptions, material: Material, head: HeadConfig, bar: Progress) -> Run:
    config = _train_config(options)
    task = bar.add_task("train", total=config.steps)

    def on_step(step: int, loss: float) -> None:
        bar.update(task, completed=step, description=f"train (loss {loss:.3f})")

    device = data.device_from(options.sources.compute)
    return train(material, head, config, _work(options) / "checkpoint.safetensors", on_step, device)


def _train_config(options: TrainAdapterOptions) -> TrainConfig:
    schedule, head = options.schedule, options.head
    own = KEYPOINT_DEFAULTS if options.labels.labels is None else {}
    given = {"lr": schedule.lr, "double_flip": head.double_flip, "self_flip": head.self_flip}
    chosen_values = own | {key: value for key, value in given.items() if value is not None}
    return TrainConfig(
        steps=schedule.steps,
        batch=schedule.batch,
        dropout=head.dropout,
        points=head.points,
        select=schedule.select,
        seed=schedule.seed,
        check_every=schedule.check_every,
        **chosen_values,  # type: ignore[arg-type]
    )


def _work(options: TrainAdapterOptions) -> Path:
    return options.output.work or options.output.output.with_name(f"{options.output.output.stem}_work")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.losses.png")


def _report(options: TrainAdapterOptions, found: Found, head: HeadConfig, trained: Run) -> dict[str, Any]:
    material = found.material
    rows = [(material.pictures[one.source].sample.category, one) for one in material.matches]
    return {
        "categories": {
            name: {
                "pictures": sum(one.sample.category == name for one in material.pictures),
                "pairs": sum(category == name and not one.mirrored for category, one in rows),
                "matches": sum(len(one) for category, one in rows if category == name),
            }
            for name in found.labels.categories
        },
        "held_out_pairs": len(material.held_out),
        "head": asdict(head),
        "training": asdict(_train_config(options)),
        "chosen_step": best_step(trained, options.schedule.select),
        "losses": list(trained.losses),
        "skipped": [asdict(one) for one in found.skipped],
        "adapter": {"path": str(options.output.output), "bytes": options.output.output.stat().st_size},
        "peak_memory": peak_memory(),
    }


def _print_summary(options: TrainAdapterOptions, report: dict[str, Any]) -> None:
    counts = ", ".join(
        f"{name} {facts['pictures']} pictures, {facts['pairs']} pairs, {facts['matches']} matches"
        for name, facts in report["categories"].items()
    )
    best = next(row for row in report["losses"] if row["step"] == report["chosen_step"])
    pck = f", PCK@0.1 of what is held out {100 * best['held_out_pck']:.1f}" if "held_out_pck" in best else ""
    print(f"{options.output.output}: {counts}; step {report['chosen_step']:.0f}{pck}")
    for entry in report["skipped"][:SHOWN]:
        print(f"skipped {entry['name']}: {entry['reason']}")
    if len(report["skipped"]) > SHOWN:
        print(f"... and {len(report['skipped']) - SHOWN} more, see the report")
    for line in report["dataset_problems"][:SHOWN]:
        print(line)
