"""Make a whole data set: which images there are, render them in parallel, then choose the pairs."""

from __future__ import annotations

import multiprocessing
import signal
import zlib
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.pairs import choose_pairs, numbered
from semcorr_lab.synthetic.render import Rendering, project_keypoints, render
from semcorr_lab.synthetic.scene import SceneConfig, sample_scene
from semcorr_lab.synthetic.source import Source
from semcorr_lab.synthetic.write_spair import sample_paths, write_classes, write_pairs, write_sample
from semcorr_ros.storage import read_json, write_json

SPLITS = ("trn", "val", "test")
_CONFIG_FILE = "synthesize.json"
_FORMAT = 1  # counts changes after which the same seed gives other pictures
_ATTEMPTS = 20
_MIN_MASK_SHARE = 0.01  # of the image


@dataclass(frozen=True)
class DatasetConfig:
    """How many of what. Counts are per category."""

    images: tuple[int, int, int] = (30, 5, 30)  # trn, val, test
    pairs: tuple[int, int, int] = (60, 20, 100)
    seed: int = 0
    scene: SceneConfig = field(default_factory=SceneConfig)


@dataclass(frozen=True)
class Job:
    """One image to be made."""

    category: str
    split: str
    index: int
    flat: bool

    @property
    def stem(self) -> str:
        """Name the file, without suffix."""
        return f"{self.split}_{self.index:04d}"


@dataclass(frozen=True)
class Report:
    """What came out."""

    rendered: int
    reused: int
    pairs: dict[str, int]  # by split
    skipped: list[str]  # one sentence each


def jobs(source: Source, config: DatasetConfig) -> list[Job]:
    """List all images of the data set."""
    return [
        Job(category, split, index, info.flat)
        for category, info in sorted(source.infos().items())
        for split, count in zip(SPLITS, config.images, strict=True)
        for index in range(count)
    ]


def picture(source: Source, config: DatasetConfig, job: Job) -> tuple[Instance, Rendering]:
    """Make the instance and the rendering of one image; depends on nothing but the arguments."""
    key = (zlib.crc32(job.category.encode()), SPLITS.index(job.split), job.index)
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=key))
    instance = source.instance(job.category, job.split, job.index, rng)
    others = source.clutter(job.category, rng) if config.scene.clutter else ()
    scene = replace(config.scene, flat=job.flat)
    return instance, sample_rendering(rng, instance, scene, others)


def make_dataset(
    root: Path,
    source: Source,
    config: DatasetConfig,
    workers: int = 1,
    on_image: Callable[[], None] = lambda: None,
) -> Report:
    """Write the data set; images that are already there are kept.

    Raises ValueError when the folder holds a data set of another configuration.
    """
    _claim(root, source, config)
    todo = [job for job in jobs(source, config) if not _finished(root, job)]
    reused = len(jobs(source, config)) - len(todo)
    skipped = []
    # Closed at once when interrupted, not when the traceback is gone.
    with closing(_rendered(root, source, config, todo, workers)) as problems:
        for problem in problems:
            if problem:
                skipped.append(problem)
            on_image()
    write_classes(root, source.infos())
    pairs = {split: _write_split(root, source, config, split) for split in SPLITS}
    return Report(len(todo) - len(skipped), reused, pairs, sorted(skipped))


def _claim(root: Path, source: Source, config: DatasetConfig) -> None:
    wanted = {"format": _FORMAT, "categories": sorted(source.infos()), "source": repr(source)}
    wanted |= {key: _plain(value) for key, value in asdict(config).items()}
    path = root / _CONFIG_FILE
    if not path.is_file():
        if (root / "ImageAnnotation").exists():
            raise ValueError(
                f"{root} holds a data set that `synthesize` did not write; choose another folder"
            )
        write_json(path, wanted)
        return
    found = read_json(path)
    different = [key for key in wanted if found.get(key) != wanted[key]]
    if different:
        key = different[0]
        raise ValueError(
            f"{root} was made with {key} = {found.get(key)!r}, now it is {wanted[key]!r}: "
            "choose another folder or delete this one"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _finished(root: Path, job: Job) -> bool:
    return all(path.is_file() for path in sample_paths(root, job.category, job.stem).values())


def _make(root: Path, source: Source, config: DatasetConfig, job: Job) -> str:
    """Render and write one image; returns why it was skipped, or nothing."""
    try:
        instance, rendering = picture(source, config, job)
    except ValueError as error:
        return f"{job.category}/{job.stem}: skipped, {error}"
    write_sample(root, job.stem, instance, rendering)
    return ""


def _rendered(
    root: Path, source: Source, config: DatasetConfig, todo: list[Job], workers: int
) -> Generator[str, None, None]:
    if workers <= 1 or len(todo) < 2:
        for job in todo:
            yield _make(root, source, config, job)
        return
    # Spawned, not forked: the parent may hold threads of torch.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_parent)
    try:
        for future in as_completed([pool.submit(_make, root, source, config, job) for job in todo]):
            yield future.result()
    finally:
        # Not `with pool`, which would work off the queue after an interruption.
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_split(root: Path, source: Source, config: DatasetConfig, split: str) -> int:
    pairs = []
    for category in sorted(source.infos()):
        made = [job for job in jobs(source, config) if (job.category, job.split) == (category, split)]
        files = [sample_paths(root, category, job.stem) for job in made if _finished(root, job)]
        annotations = [read_json(paths["ImageAnnotation"]) for paths in files]
        poses = [np.array(read_json(paths["Cameras"])["camera_from_canonical"]) for paths in files]
        directions = np.array([pose[2, :3] for pose in poses]).reshape(-1, 3)
        key = (zlib.crc32(category.encode()), SPLITS.index(split))
        rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=key))
        count = config.pairs[SPLITS.index(split)]
        pairs += choose_pairs(annotations, directions, split, count, rng)
    write_pairs(root, split, numbered(pairs))
    return len(pairs)


def sample_rendering(
    rng: np.random.Generator,
    instance: Instance,
    config: SceneConfig,
    others: tuple[Instance, ...] = (),
    min_visible: int = 4,
) -> Rendering:
    """Draw a picture in which `min_visible` keypoints can be seen, or a third of them if that is less.

    Raises ValueError when twenty scenes in a row show fewer: then the keypoints are wrong.
    """
    # An object with few keypoints, such as four wheels, never shows most of them at once.
    known = int(np.isfinite(instance.keypoints).all(1).sum())
    wanted = min(min_visible, -(-known // 3))
    for _ in range(_ATTEMPTS):
        scene = sample_scene(rng, instance, config, others=others)
        if project_keypoints(scene)[1].sum() < wanted:
            continue
        rendering = render(scene)
        if rendering.mask.mean() >= _MIN_MASK_SHARE:
            return rendering
    raise ValueError(
        f"{instance.category} {instance.name}: {_ATTEMPTS} scenes show fewer than {wanted} keypoints; "
        "check that the keypoints lie on the surface"
    )
