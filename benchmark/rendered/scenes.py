"""The pictures, and features computed from the true surface: what a backbone that confuses left with
right and one leg with the next would see. Only this benchmark can make them; no verb, no node.

Every object pixel gets the training target of the `tiny` backbone for its folded place on its part
(semcorr_lab/training), averaged over a 60x60 grid, plus noise per cell and noise that is shared by a
neighborhood of four by four cells.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.dataset import SPLITS, DatasetConfig, Job, jobs, make_dataset, picture
from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.render import Rendering
from semcorr_lab.synthetic.source import ProceduralSource, Source
from semcorr_lab.training.rendered_samples import sample_arrays
from semcorr_lab.training.tiny_classes import class_codebook
from semcorr_lab.training.tiny_targets import Codebook
from semcorr_ros.storage import atomic_path

GRID = 60
PATCHES = 15  # the shared noise lives on this coarser grid


@dataclass(frozen=True)
class Noise:
    """Standard deviations per channel; features have length 1 over 64 channels."""

    cell: float
    patch: float


NOISE = {"oracle": Noise(0.04, 0.05), "oracle_noisy": Noise(0.07, 0.08)}


def render(root: Path, source: Source, made: DatasetConfig, workers: int, tick: Callable[[], None]) -> None:
    """Write the data set; what is there is kept."""
    make_dataset(root, source, made, workers, tick)


def write_truth(folder: Path, source: Source, made: DatasetConfig, tick: Callable[[], None]) -> None:
    """The true 3D keypoints of every image, <folder>/truth/<category>/<image>.npz; what is there is kept.

    Each holds `keypoints` (L, 3), camera frame, metres.
    """
    for job in jobs(source, made):
        if not _truth(folder, job).is_file():
            # A mesh that hides its keypoints has no picture either: `render` left it out.
            with contextlib.suppress(ValueError):
                _save_truth(folder, job, *picture(source, made, job))
        tick()


def _save_truth(folder: Path, job: Job, instance: Instance, rendering: Rendering) -> None:
    pose = rendering.camera_from_object
    _save(_truth(folder, job), keypoints=instance.keypoints @ pose[:3, :3].T + pose[:3, 3])


def write_oracle(
    folder: Path, categories: tuple[str, ...], made: DatasetConfig, tick: Callable[[], None]
) -> None:
    """Features of both noise settings, and the truth, of every image; what is there is kept.

    Files: <folder>/<setting>/<category>/<image>[_flip].npz, and those of `write_truth`.
    """
    source = ProceduralSource(categories)
    missing = [job for job in jobs(source, made) if not all(path.is_file() for path in _files(folder, job))]
    codebook = class_codebook(categories, 0) if missing else None
    for job in jobs(source, made):
        if codebook is not None and job in missing:
            _write_job(folder, codebook, source, made, job)
        tick()


def _truth(folder: Path, job: Job) -> Path:
    return folder / "truth" / job.category / f"{job.stem}.npz"


def _features(folder: Path, job: Job) -> dict[tuple[str, bool], Path]:
    """By noise setting and whether the image is mirrored; only training needs mirrored ones."""
    return {
        (setting, mirrored): folder / setting / job.category / f"{job.stem}{'_flip' * mirrored}.npz"
        for setting in sorted(NOISE)
        for mirrored in ((False, True) if job.split == "trn" else (False,))
    }


def _files(folder: Path, job: Job) -> list[Path]:
    return [*_features(folder, job).values(), _truth(folder, job)]


def _write_job(
    folder: Path, codebook: Codebook, source: ProceduralSource, made: DatasetConfig, job: Job
) -> None:
    instance, rendering = picture(source, made, job)
    arrays = sample_arrays(rendering, instance, categories.load(job.category).INFO.symmetric)
    clean = place_features(arrays, codebook, job.category)
    for (setting, mirrored), path in _features(folder, job).items():
        draws = noise_draws(made.seed, job, setting, mirrored)
        features = with_noise(clean.flip(1) if mirrored else clean, NOISE[setting], draws)
        _save(path, features=features.half().numpy())
    _save_truth(folder, job, instance, rendering)


def noise_draws(seed: int, job: Job, setting: str, mirrored: bool) -> torch.Generator:
    """A stream for each file, whatever else is made: noise that two splits share would not be noise."""
    names = [zlib.crc32(text.encode()) for text in (job.category, setting)]
    key = (*names, SPLITS.index(job.split), job.index, int(mirrored))
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)


def _save(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def place_features(
    arrays: dict[str, np.ndarray], codebook: Codebook, category: str
) -> Float[Tensor, "grid grid channel"]:
    """Mean target of four places per cell, not normalized."""
    names = codebook.codes[category].mean.names
    index = [names.index(name) if name in names else -1 for name in arrays["names"].tolist()]
    table = torch.tensor([*index, -1])  # part -1 finds the last entry
    part, local = (
        table[torch.from_numpy(arrays["part"]).long()],
        torch.from_numpy(arrays["local"]).float(),
    )
    h, w = part.shape
    total = torch.zeros(GRID * GRID, codebook.anchors.shape[1])
    for dy in (0.25, 0.75):
        for dx in (0.25, 0.75):
            rows = ((torch.arange(GRID) + dy) / GRID * h).long()
            columns = ((torch.arange(GRID) + dx) / GRID * w).long()
            patch = part[rows][:, columns].reshape(-1), local[rows][:, columns].reshape(-1, 3)
            total += codebook.embed(category, *patch)
    return total.reshape(GRID, GRID, -1)


def with_noise(
    clean: Float[Tensor, "grid grid channel"], noise: Noise, generator: torch.Generator
) -> Float[Tensor, "grid grid channel"]:
    """Unit features after both kinds of noise."""
    unit = functional.normalize(clean, dim=-1)
    channels = clean.shape[-1]
    coarse = torch.randn(1, channels, PATCHES, PATCHES, generator=generator)
    shared = functional.interpolate(coarse, size=(GRID, GRID), mode="bilinear")[0].permute(1, 2, 0)
    own = torch.randn(unit.shape, generator=generator)
    return functional.normalize(unit + noise.cell * own + noise.patch * shared, dim=-1)
