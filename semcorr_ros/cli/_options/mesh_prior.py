"""Options of `mesh_prior`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from functools import partial
from pathlib import Path

from semcorr_ros.cli._options.sources import SPLITS, DatasetOptions, DatasetSources, WorkerOptions
from semcorr_ros.options import group, option
from semcorr_ros.registry import names

STAGES = ("reconstruct", "refine", "canonicalize", "describe", "pseudo_label")
FILTERS, GEODESICS = ("cyclic", "geodesic"), ("graph", "heat")
RUN = "run"  # all of them


@dataclass(frozen=True)
class StageOptions:
    """Which stage, of which images."""

    stage: str = option(
        MISSING, f"{RUN}: all of them, one after the other", choices=(*STAGES, RUN), positional=True
    )
    category: str = option(MISSING, "one category", metavar="NAME")
    work: Path = option(MISSING, "<category>/<stage>: files, from which it goes on", metavar="DIR")
    split: str = option("trn", "of the data set", choices=SPLITS)
    max_images: int | None = option(None, "a random subset of so many", 1, metavar="N")
    seed: int = option(0, "same seed, same files", 0, 2**31, metavar="N")


@dataclass(frozen=True)
class PriorOutputOptions:
    """What else is written."""

    json: Path | None = option(None, "report (default: <work>/<category>/<stage>.json)", metavar="FILE")
    picture: Path | None = option(None, "contact sheet of meshes (default: beside the report)", metavar="PNG")


@dataclass(frozen=True)
class ReconstructOptions:
    """Stage reconstruct: a mesh and its pose for each image."""

    meshes: str = option(
        "",
        "who makes them (default: by what is given)",
        choices=partial(names, "semcorr_ros.mesh_prior.reconstruction"),
        metavar="NAME",
    )
    mesh_dir: Path | None = option(None, "<stem>.glb, .obj, .ply ... and <stem>.json", metavar="DIR")
    class_file: Path | None = option(None, "of build_class, aligned to every image", metavar="FILE")
    mesh_options: tuple[str, ...] = option(
        (),
        "for the maker, such as folder=DIR of sam3d",
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
class DescribeOptions:
    """Stage describe: descriptors of vertices."""

    descriptor: str = option(
        "kernel",
        "of vertices: partfield reads its files, kernel needs nothing",
        choices=partial(names, "semcorr_ros.mesh_prior.descriptors"),
        metavar="NAME",
    )
    descriptor_options: tuple[str, ...] = option(
        (),
        "another setting of it, such as folder=DIR of partfield",
        flag="descriptor-option",
        several=True,
        metavar="KEY=VALUE",
    )
    longest: float = option(0.05, "edge of the surface, in diagonals of its box", 0.005, 1.0, metavar="X")


@dataclass(frozen=True)
class LabelOptions:
    """Stage pseudo_label: matches that the meshes confirm."""

    filters: tuple[str, ...] = option(FILTERS, "which matches must pass", choices=FILTERS, metavar="NAME")
    tolerance: float = option(0.1, "of the way back, in longer sides of the box", 0.0, 1.0, metavar="X")
    threshold: float = option(0.1, "of the geodesic error, in diagonals of the box", 0.0, 1.0, metavar="X")
    geodesics: str = option("graph", "how distances on meshes are computed", choices=GEODESICS)
    partners: int = option(10, "pictures that each is matched to", 1, 10_000, metavar="N")
    matches: int = option(200, "kept of a pair at most", 1, 100_000, metavar="N")


@dataclass(frozen=True)
class MeshPriorOptions:
    """All of them."""

    which: StageOptions = group(StageOptions)
    dataset: DatasetOptions = group(DatasetOptions)
    output: PriorOutputOptions = group(PriorOutputOptions)
    reconstruct: ReconstructOptions = group(ReconstructOptions)
    refine: RefineOptions = group(RefineOptions, rare=True)
    canonicalize: CanonicalizeOptions = group(CanonicalizeOptions, rare=True)
    describe: DescribeOptions = group(DescribeOptions, rare=True)
    labels: LabelOptions = group(LabelOptions, rare=True)
    workers: WorkerOptions = group(WorkerOptions, rare=True)
    sources: DatasetSources = group(DatasetSources)
