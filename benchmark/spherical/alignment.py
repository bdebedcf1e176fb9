"""Do classes with the sphere among their features start on the right side of an object more often?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.rendered import measures, scenes
from benchmark.rendered.report import TURNED
from benchmark.rendered.splits import TRAIN
from benchmark.spherical.rows import ROWS, Place, train
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.__main__ import main as verb
from semcorr_ros.datasets import DATASETS
from semcorr_ros.depth import DEPTH
from semcorr_ros.evaluation.views import FAILURES, Setup, Views
from semcorr_ros.features import FEATURES
from semcorr_ros.masks import MASKS
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.observations import Providers

OUTLINES = ("annotation", "attention")
BACK = 90  # degrees from which a pose counts as back to front
IMAGES = 30


def rows(
    place: Place, categories: Sequence[str], steps: int, tick: Callable[[], Any]
) -> list[dict[str, Any]]:
    """Align classes of both kinds of features to every picture: a result per category, outline and kind."""
    made, source = place.split.pictures(IMAGES, 300), ProceduralSource(place.categories)
    scenes.write_truth(place.split.folder(place.work) / "oracle", source, made, lambda: None)
    mapper = train(place, "all losses", ROWS["all losses"], place.categories, steps)
    kinds = {"features": (place.backbone, {}), "with the sphere": ("spherical", {"weights": str(mapper)})}
    found = []
    for category in categories:
        for outlines in OUTLINES:
            for name, (backbone, options) in kinds.items():
                file = _class(place, category, backbone, options)
                errors = _aligned(place, category, outlines, (backbone, options, file), tick)
                head = {"category": category, "outlines": outlines, "features": name}
                found.append(head | summary(errors))
    return found


def summary(errors: Sequence[measures.ImageErrors]) -> dict[str, Any]:
    """Count the poses that are turned, and average the PCK@0.1 of the class's own keypoints."""
    return {
        "images": len(errors),
        "turned": sum(one.rotation_deg > TURNED for one in errors),
        "back": sum(one.rotation_deg > BACK for one in errors),
        "pck": sum(one.pck for one in errors) / len(errors) if errors else float("nan"),
    }


def _class(place: Place, category: str, backbone: str, options: dict[str, str]) -> Path:
    key = hashlib.sha256(Path(options["weights"]).read_bytes()).hexdigest()[:8] if options else "alone"
    path = place.folder / "aligned" / f"{category}_{key}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        where = ["--root", str(TRAIN.folder(place.work) / "data"), "--category", category, "--threads", "1"]
        where += ["--depth", "sensor", "--backbone", backbone, "--output", str(path)]
        if verb(["build_class", *where, *(["--weights", options["weights"]] if options else [])]):
            raise RuntimeError(f"build_class failed for {category}")
    return path


def _aligned(
    place: Place, category: str, outlines: str, how: tuple[str, dict[str, str], Path], tick: Callable[[], Any]
) -> list[measures.ImageErrors]:
    backbone, options, file = how
    folder = place.split.folder(place.work)
    samples = {
        one.name: one
        for one in DATASETS.load("spair71k").build(folder / "data").images(category, place.split.spair)
    }
    providers = Providers(
        FEATURES.load(backbone).make(options, {"device": "cpu"}),
        DEPTH.load("sensor").make({}, {}),
        (MASKS.load(outlines).make({}, {}),),
    )
    key = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    setup = Setup(samples, providers, SemAlign3D(read_class(file), AlignmentConfig()))
    views = Views(setup, file.with_suffix("") / f"{place.split.label}_{outlines}_{key}")
    measure = partial(measures.errors, root=folder / "data", truth=folder / "oracle" / "truth")
    found = []
    for name, sample in sorted(samples.items()):
        try:
            error = measure(setup.model, sample, views.view(name))
        except FAILURES:
            error = None
        found += [error] if error else []
        tick()
    return found
