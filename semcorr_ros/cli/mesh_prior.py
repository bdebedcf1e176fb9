"""Make posed, canonical meshes of a category's images, stage by stage: a prior for correspondence (3D-SC)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semcorr_ros.cli import _label_stages, _mesh_stages
from semcorr_ros.cli._crew import crew_from
from semcorr_ros.cli._options.mesh_prior import RUN, STAGES, MeshPriorOptions
from semcorr_ros.cli._progress import counted
from semcorr_ros.files.mask import read_mask
from semcorr_ros.files.picture import read_image
from semcorr_ros.memory import peak_memory
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.mesh_file import read_mesh
from semcorr_ros.mesh_prior.stages import StageReport
from semcorr_ros.mesh_prior.work_folder import CANONICAL, MASKS, MESHES, REFINED, WorkFolder
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.mesh_picture import Row, contact_sheet

STEPS = {
    "reconstruct": _mesh_stages.reconstruct,
    "refine": _mesh_stages.refine,
    "canonicalize": _mesh_stages.canonicalize,
    "describe": _label_stages.describe,
    "pseudo_label": _label_stages.pseudo_label,
}
MOST_ROWS = 12  # of the contact sheet, spread over the category


def run(options: MeshPriorOptions) -> int:
    """Run a stage or all; what is there already is kept, and images that fail are named. 1 where no image got
    through, 130 after Ctrl-C: the same command goes on. Raises ValueError or OSError."""
    folder = WorkFolder(options.which.work, options.which.category)
    crew = crew_from(options.workers, options.sources.compute, options.which.work)
    chosen = STAGES if options.which.stage == RUN else (options.which.stage,)
    reports: list[StageReport] = []
    seconds: dict[str, float] = {}
    for stage in chosen:
        started = time.perf_counter()
        with counted() as bar:
            report = STEPS[stage](options, folder, None if crew.alone else crew, bar)
        seconds[stage] = round(time.perf_counter() - started, 3)
        reports.append(report)
        _print(report, seconds[stage])
        if not report.done:
            break
    path = options.output.json or folder.root / folder.category / f"{options.which.stage}.json"
    write_json(path, _content(options, folder, reports, seconds))
    picture = options.output.picture or path.with_suffix(".png")
    rows = _rows(options, folder, reports[-1].done)
    if rows:
        write_image(picture, contact_sheet(rows))
    return 0 if reports[-1].done else 1


def _print(report: StageReport, seconds: float) -> None:
    made, kept = len(report.made), len(report.kept)
    print(f"{report.stage}: {made} made, {kept} kept, {len(report.skipped)} skipped, {seconds:.1f} s")
    for one in report.skipped:
        print(f"  {one.name}: {one.reason}")


def _content(
    options: MeshPriorOptions, folder: WorkFolder, reports: Sequence[StageReport], seconds: dict[str, float]
) -> dict[str, Any]:
    return {
        "category": folder.category,
        "work": str(folder.root),
        "stages": {
            report.stage: {
                "made": report.made,
                "kept": report.kept,
                "skipped": [asdict(one) for one in report.skipped],
                "seconds": seconds[report.stage],
            }
            for report in reports
        },
        "images": _measures(folder),
        "iou": {name: _mean(folder, name) for name in ("iou_before", "iou_after")},
        "peak_memory": peak_memory(),
    }


def _measures(folder: WorkFolder) -> dict[str, dict[str, float]]:
    """Collect what the latest stage that an image has got to knows of it."""
    found: dict[str, dict[str, float]] = {}
    for stage in (MESHES, REFINED, CANONICAL):
        for name in folder.names(stage):
            mesh = _read(folder, stage, name)
            found |= {name: mesh.measures} if mesh is not None else {}
    return dict(sorted(found.items()))


def _mean(folder: WorkFolder, measure: str) -> float | None:
    values = [one[measure] for one in _measures(folder).values() if measure in one]
    return round(sum(values) / len(values), 4) if values else None


def _rows(options: MeshPriorOptions, folder: WorkFolder, names: Sequence[str]) -> list[Row]:
    samples = _mesh_stages.samples_of(options)
    shown = [name for name in names if name in samples]
    rows = []
    for name in shown[:: max(1, -(-len(shown) // MOST_ROWS))]:
        mesh = _read(folder, MESHES, name)
        if mesh is not None:
            image, mask = (
                read_image(samples[name].image_path),
                read_mask(folder.file(MASKS, name, ".png"), samples[name].size),
            )
            rows.append(Row(image, mask, mesh, _read(folder, REFINED, name), _read(folder, CANONICAL, name)))
    return rows


def _read(folder: WorkFolder, stage: str, name: str) -> PosedMesh | None:
    path: Path = folder.file(stage, name)
    try:
        return read_mesh(path)
    except (OSError, ValueError):
        return None
