"""Each image of a benchmark is observed, and the class aligned to it, once, however many pairs show it."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, Observation
from semcorr_ros.features import ImageRef
from semcorr_ros.matching import View
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.observations import Providers, observe, observe_mirrored
from semcorr_ros.storage import read_tensors, write_tensors

MEMORY_BYTES = 2_000_000_000  # of observations; alignments are small and all stay
FAILURES = (ValueError, OSError, torch.linalg.LinAlgError)  # of one image; anything else is a bug
LOOSE_FIELDS = ("energy_by_term", "camera", "metric")  # of Alignment: not one tensor each


@dataclass(frozen=True)
class Setup:
    """What a benchmark runs with. `model` None: only matchers that need no alignment."""

    samples: dict[str, AnnotatedImage]  # by name
    providers: Providers
    model: ClassRepresentation | None
    config: AlignmentConfig
    seed: int = 0
    flip: tuple[int, ...] | None = None  # keypoint ids after mirroring; None: no adaptive flip


class Views:
    """`View`s by image name. Alignments are kept in `folder`, so that an interrupted run can go on."""

    def __init__(self, setup: Setup, needs_alignment: bool, folder: Path) -> None:
        if needs_alignment and setup.model is None:
            raise ValueError("this method aligns the class to the images: it needs a class file")
        self.seconds: dict[str, float] = {}  # spent on each image in this run
        self.setup, self._needs_alignment, self._folder = setup, needs_alignment, folder
        self._masks: dict[str, Bool[Tensor, "height width"] | None] = {}
        self._failures: dict[str, str] = {}
        self._alignments: dict[str, Alignment] = {}
        self._seen: OrderedDict[str, Observation] = OrderedDict()

    def view(self, name: str) -> View:
        """Return the view of an image.

        Raises ValueError with the reason if this image cannot be used, each time it is asked for.
        """
        if name in self._failures:
            raise ValueError(self._failures[name])
        started = time.perf_counter()
        try:
            seen = self._observed(name)
            aligned = self._aligned(name, seen) if self._needs_alignment else None
        except FAILURES as error:
            self._failures[name] = f"{name}: {error}"
            raise ValueError(self._failures[name]) from error
        self.seconds.setdefault(name, time.perf_counter() - started)
        return View(seen, aligned)

    def pair(self, source: str, target: str) -> tuple[View, View]:
        """Return both views.

        With features of this very pair where the backbone has such. Raises as `view`.
        """
        views = self.view(source), self.view(target)
        encode_pair = getattr(self.setup.providers.features, "encode_pair", None)
        if encode_pair is None or self._needs_alignment:
            return views
        category = self.setup.samples[source].category
        refs = [
            ImageRef(one.seen.image, name, category)
            for one, name in zip(views, (source, target), strict=True)
        ]
        maps = encode_pair(*refs)
        first, second = (
            View(dataclasses.replace(one.seen, features=features))
            for one, features in zip(views, maps, strict=True)
        )
        return first, second

    def mirrored(self, name: str) -> View | None:
        """Return the left/right mirrored image.

        None where the backbone cannot encode it. Raises as `view`.
        """
        key = f"{name} mirrored"
        if key not in self._seen:
            seen = self.view(name).seen
            mirrored = observe_mirrored(
                self.setup.samples[name], seen, Providers(self.setup.providers.features)
            )
            if mirrored is None:
                return None
            self._remember(key, mirrored)
        return View(self._seen[key])

    def mask(self, name: str) -> Bool[Tensor, "height width"] | None:
        """Return the object, where a mask provider knows it, also for methods whose features ignore it."""
        if name not in self._masks:
            sample, seen = self.setup.samples[name], self.view(name).seen
            found = (one.mask(sample, seen, self.setup.model) for one in self.setup.providers.masks)
            self._masks[name] = next((mask for mask in found if mask is not None), None)
        return self._masks[name]

    def _observed(self, name: str) -> Observation:
        if name not in self._seen:
            if name not in self.setup.samples:
                raise ValueError("no readable image or annotation")
            providers, model = self.setup.providers, self.setup.model
            if not self._needs_alignment:
                providers = Providers(providers.features)
            self._remember(name, observe(self.setup.samples[name], providers, model))
        self._seen.move_to_end(name)
        return self._seen[name]

    def _remember(self, key: str, seen: Observation) -> None:
        self._seen[key] = seen
        while len(self._seen) > 2 and sum(map(_size, self._seen.values())) > MEMORY_BYTES:
            self._seen.popitem(last=False)

    def _aligned(self, name: str, seen: Observation) -> Alignment:
        if name not in self._alignments:
            path = alignment_path(self._folder, name)
            device = seen.features.values.device
            if path.is_file():
                self._alignments[name] = read_alignment(path, str(device))
            else:
                assert self.setup.model is not None
                # Seeded by the image, so that neither order nor resumption changes a result.
                seed = int.from_bytes(
                    hashlib.sha256(f"{self.setup.seed}/{name}".encode()).digest()[:4], "big"
                )
                generator = torch.Generator().manual_seed(seed)
                found = alignment.align(self.setup.model, seen, self.setup.config, generator)
                self._alignments[name] = found
                write_alignment(path, found)
        return self._alignments[name]


def alignment_path(folder: Path, name: str) -> Path:
    """Name the file where the alignment of an image is kept."""
    return folder / f"{name}.safetensors"


def write_alignment(path: Path, found: Alignment) -> None:
    """Write an alignment as a safetensors file, atomically."""
    tensors = {
        field.name: getattr(found, field.name)
        for field in dataclasses.fields(found)
        if field.name not in LOOSE_FIELDS
    }
    tensors |= {f"energy_by_term.{name}": value for name, value in found.energy_by_term.items()}
    tensors |= {"camera.focal": found.camera.focal, "camera.principal_point": found.camera.principal_point}
    write_tensors(path, tensors, {"metric": found.metric, "size": found.camera.size})


def read_alignment(path: Path, device: str = "cpu") -> Alignment:
    """Read an alignment. Raises ValueError for a damaged file."""
    tensors, header = read_tensors(path, device)
    camera = Camera(tensors.pop("camera.focal"), tensors.pop("camera.principal_point"), tuple(header["size"]))
    terms: dict[str, Tensor] = {}
    for key in [key for key in tensors if key.startswith("energy_by_term.")]:
        terms[key.partition(".")[2]] = tensors.pop(key)
    return Alignment(**tensors, energy_by_term=terms, camera=camera, metric=header["metric"])


def _size(seen: Observation) -> int:
    tensors = [seen.image, seen.features.values, seen.mask, seen.depth.values if seen.depth else None]
    return sum(t.element_size() * t.nelement() for t in tensors if t is not None)
