"""Options of `mesh_prior`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from functools import partial
from pathlib import Path

from semcorr_ros.cli._options.sources import SPLITS, DatasetOptions, DatasetSources, WorkerOptions
from semcorr_ros.options import group, option
from semcorr_ros.registry import names

STAGES = ("reconstruct", "refine", "canonicalize")
RUN = "run"  # all of them


@dataclass(frozen=True)
class StageOptions:
    """Which stage, of which images."""

    stage: str = option(
        MISSING, f"{', '.join(STAGES)}; {RUN}: all of them", choices=(*STAGES, RUN), positional=True
    )
    category: str = option(MISSING, "one category", metavar="NAME")
    work: Path = option(
        MISSING, "files of all stages, from which a stopped run goes on: <category>/<stage>", metavar="DIR"
    )
    split: str = option("trn", "of the data set", choices=SPLITS)
    max_images: int | None = option(None, "a random subset of so many", 1, metavar="N")
    seed: int = option(0, "same seed, same files", 0, 2**31, metavar="N")


@dataclass(frozen=True)
class PriorOutputOptions:
    """What else is written."""

    json: Path | None = option(None, "report (default: <work>/<category>/<stage>.json)", metavar="FILE")
    picture: Path | None = option(
        None, "contact sheet of refined or canonical meshes (default: beside the report)", metavar="PNG"
    )


@dataclass(frozen=True)
class ReconstructOptions:
    """Stage reconstruct: a mesh and its pose for each image."""

    meshes: str = option(
        "",
        "where meshes come from (default: class_mesh with --class-file, files with --mesh-dir)",
        choices=partial(names, "semcorr_ros.mesh_prior.reconstruction"),
        metavar="NAME",
    )
    mesh_dir: Path | None = option(None, "<stem>.glb, .obj, .ply ... and <stem>.json", metavar="DIR")
    class_file: Path | None = option(None, "of build_class, aligned to every image", metavar="FILE")
    mesh_options: tuple[str, ...] = option(
        (),
        "another setting of the provider, such as folder=DIR of sam3d",
        flag="mesh-option",
        several=True,
        metavar="KEY=VALUE",
    )


@dataclass(frozen=True)
class RefineOptions:
    """Stage refine: render-and-compare."""

    rasterizer: str = option(
        "",
        "of soft silhouettes (default: pytorch3d where it is installed)",
        choices=partial(names, "semcorr_ros.mesh_prior.rasterizers"),
        metavar="NAME",
    )
    coverage: float = option(
        10.0, "reward for covering the mask's inside, against occlusion", 0.0, 1000.0, metavar="X"
    )


@dataclass(frozen=True)
class CanonicalizeOptions:
    """Stage canonicalize: the yaw of the category."""

    azimuth: str = option(
        "features",
        "who tells the front: features matched with the category's other meshes, or a network",
        choices=partial(names, "semcorr_ros.mesh_prior.azimuth"),
        metavar="NAME",
    )
    azimuth_options: tuple[str, ...] = option(
        (),
        "another setting of it, such as folder=DIR of orient_anything",
        flag="azimuth-option",
        several=True,
        metavar="KEY=VALUE",
    )


@dataclass(frozen=True)
class MeshPriorOptions:
    """All of them."""

    which: StageOptions = group(StageOptions)
    dataset: DatasetOptions = group(DatasetOptions)
    output: PriorOutputOptions = group(PriorOutputOptions)
    reconstruct: ReconstructOptions = group(ReconstructOptions)
    refine: RefineOptions = group(RefineOptions, rare=True)
    canonicalize: CanonicalizeOptions = group(CanonicalizeOptions, rare=True)
    workers: WorkerOptions = group(WorkerOptions, rare=True)
    sources: DatasetSources = group(DatasetSources)
