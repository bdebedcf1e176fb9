"""Rendered training pictures with folded part coordinates per pixel, cached one file each.

Every sample has its own seed, so the cache is the same however many processes fill it and an
interrupted run continues where it stopped. Files are compressed npz, read without pickle.
"""

from __future__ import annotations

import multiprocessing
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int, UInt8
from torch import Tensor

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.scene import SceneConfig, sample_scene
from semcorr_lab.training.part_frames import PartFrames, fold, nearest_part, part_frames
from semcorr_ros.storage import atomic_path

STREAM = 0x74696E79  # keeps these seeds apart from those of every other use of the generators
SPLITS = ("train", "unseen")
_STEP = 2  # part maps are kept at half the picture's resolution
_SIZES = ((300, 400), (300, 400), (360, 480), (340, 340), (400, 300), (260, 420))  # (h, w)
_FLAT_SHARE = 0.85  # of the pictures of flat classes that show the front only


@dataclass(frozen=True)
class RenderedSample:
    """One picture of one object. Maps have half the picture's resolution."""

    category: str
    image: UInt8[Tensor, "height width 3"]
    name: Int[Tensor, "h w"]  # index into the category's part names; -1 background
    local: Float16[Tensor, "h w 3"]  # folded part coordinate
    keypoints: Float[Tensor, "keypoint 2"]  # pixels
    visible: Bool[Tensor, "keypoint"]
    keypoint_name: Int[Tensor, "keypoint"]
    keypoint_local: Float[Tensor, "keypoint 3"]
    bbox: tuple[float, float, float, float]  # x1, y1, x2, y2 of the visible object


@dataclass(frozen=True)
class Request:
    """Which sample to render where."""

    category: str
    split: str
    index: int
    seed: int
    folder: Path

    @property
    def path(self) -> Path:
        """Name the cache file."""
        return self.folder / f"{self.split}_{self.seed}" / self.category / f"{self.index:05d}.npz"


def sample_rng(category: str, split: str, index: int, seed: int) -> np.random.Generator:
    """Make the random stream of one sample; different arguments give independent streams."""
    key = [STREAM, seed, SPLITS.index(split), *category.encode(), index]
    return np.random.default_rng(np.random.SeedSequence(key))


def instance_frames(instance: Instance, symmetric: bool) -> PartFrames:
    """Compute the part boxes of an instance."""
    return part_frames([(part.name, part.mesh.vertices) for part in instance.parts], symmetric)


def fill_cache(requests: Sequence[Request], workers: int) -> Iterator[Path]:
    """Render what is missing, with `workers` processes; yields each file when it is there."""
    missing = [request for request in requests if not request.path.is_file()]
    yield from (request.path for request in requests if request not in set(missing))
    if workers <= 1:
        yield from map(_render_to_cache, missing)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_render_to_cache, missing, chunksize=4)


def render_sample(request: Request) -> dict[str, np.ndarray]:
    """Render one sample to the arrays of its cache file."""
    category = categories.load(request.category)
    rng = sample_rng(request.category, request.split, request.index, request.seed)
    instance = category.generate(rng)
    flat = category.INFO.flat and rng.random() < _FLAT_SHARE
    config = SceneConfig(size=_SIZES[int(rng.integers(len(_SIZES)))], flat=flat)
    rendering = render(sample_scene(rng, instance, config))
    return sample_arrays(rendering, instance, category.INFO.symmetric)


def sample_arrays(rendering: Rendering, instance: Instance, symmetric: bool) -> dict[str, np.ndarray]:
    """Compute the arrays of a cache file: the picture, folded part coordinates, keypoints."""
    frames = instance_frames(instance, symmetric)
    part = rendering.part[::_STEP, ::_STEP]
    local = np.zeros((*part.shape, 3), np.float16)
    on_object = part >= 0
    local[on_object] = fold(
        rendering.points[::_STEP, ::_STEP][on_object].astype(np.float64), part[on_object], frames
    )
    known = np.nan_to_num(instance.keypoints)
    owner = nearest_part(known, [part.mesh.triangles for part in instance.parts])
    return {
        "image": rendering.image,
        "part": part.astype(np.int8),
        "local": local,
        "names": np.array(frames.names),
        "keypoints": rendering.keypoints.astype(np.float32),
        "visible": rendering.visible,
        "keypoint_part": owner.astype(np.int8),
        "keypoint_local": fold(known, owner, frames).astype(np.float32),
        "bbox": _bbox(rendering.mask),
    }


def read_sample(path: Path, category: str, names: Sequence[str]) -> RenderedSample:
    """Read a cache file; part names become indices into `names`, unknown ones background.

    Raises ValueError naming a damaged file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged, delete it to render it again: {error}") from error
    index = [names.index(name) if name in names else -1 for name in arrays["names"].tolist()]
    table = torch.tensor([*index, -1], dtype=torch.int8)  # part -1 finds the last entry
    x1, y1, x2, y2 = arrays["bbox"].tolist()
    return RenderedSample(
        category=category,
        image=torch.from_numpy(arrays["image"]),
        name=table[torch.from_numpy(arrays["part"]).long()],
        local=torch.from_numpy(arrays["local"]),
        keypoints=torch.from_numpy(arrays["keypoints"]),
        visible=torch.from_numpy(arrays["visible"]),
        keypoint_name=table[torch.from_numpy(arrays["keypoint_part"]).long()],
        keypoint_local=torch.from_numpy(arrays["keypoint_local"]),
        bbox=(x1, y1, x2, y2),
    )


def _render_to_cache(request: Request) -> Path:
    torch.set_num_threads(1)  # the pool already uses every core it was given
    with atomic_path(request.path) as temporary:
        np.savez_compressed(temporary, **render_sample(request))  # type: ignore[arg-type]
    return request.path


def _bbox(mask: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "4"]:
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:  # wholly hidden: the picture is background
        return np.array([0, 0, mask.shape[1], mask.shape[0]], np.float32)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
