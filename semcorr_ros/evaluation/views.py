"""Each image of a benchmark is observed, and the class aligned to it, once, however many pairs show it."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from semcorr_ros import alignment
from semcorr_ros.artifacts import Alignment, AnnotatedImage, Camera, ClassRepresentation, Observation
from semcorr_ros.matching import View
from semcorr_ros.observations import Providers, observe
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
    config: alignment.Config
    seed: int = 0


class Views:
    """`View`s by image name. Alignments are kept in `folder`, so that an interrupted run can go on."""

    def __init__(self, setup: Setup, needs_alignment: bool, folder: Path) -> None:
        if needs_alignment and setup.model is None:
            raise ValueError("this method aligns the class to the images: it needs a class file")
        self.seconds: dict[str, float] = {}  # spent on each image in this run
        self._setup, self._needs_alignment, self._folder = setup, needs_alignment, folder
        self._failures: dict[str, str] = {}
        self._alignments: dict[str, Alignment] = {}
        self._seen: OrderedDict[str, Observation] = OrderedDict()

    def view(self, name: str) -> View:
        """Raises ValueError with the reason if this image cannot be used, each time it is asked for."""
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

    def _observed(self, name: str) -> Observation:
        if name not in self._seen:
            if name not in self._setup.samples:
                raise ValueError("no readable image or annotation")
            providers, model = self._setup.providers, self._setup.model
            if not self._needs_alignment:
                providers = Providers(providers.features)
            self._seen[name] = observe(self._setup.samples[name], providers, model)
            while len(self._seen) > 2 and sum(map(_size, self._seen.values())) > MEMORY_BYTES:
                self._seen.popitem(last=False)
        self._seen.move_to_end(name)
        return self._seen[name]

    def _aligned(self, name: str, seen: Observation) -> Alignment:
        if name not in self._alignments:
            path = alignment_path(self._folder, name)
            device = seen.features.values.device
            if path.is_file():
                self._alignments[name] = read_alignment(path, str(device))
            else:
                assert self._setup.model is not None
                # Seeded by the image, so that neither order nor resumption changes a result.
                seed = int.from_bytes(
                    hashlib.sha256(f"{self._setup.seed}/{name}".encode()).digest()[:4], "big"
                )
                generator = torch.Generator().manual_seed(seed)
                found = alignment.align(self._setup.model, seen, self._setup.config, generator)
                self._alignments[name] = found
                write_alignment(path, found)
        return self._alignments[name]


def alignment_path(folder: Path, name: str) -> Path:
    """Where the alignment of an image is kept."""
    return folder / f"{name}.safetensors"


def write_alignment(path: Path, found: Alignment) -> None:
    """One alignment as a safetensors file, atomically."""
    tensors = {
        field.name: getattr(found, field.name)
        for field in dataclasses.fields(found)
        if field.name not in LOOSE_FIELDS
    }
    tensors |= {f"energy_by_term.{name}": value for name, value in found.energy_by_term.items()}
    tensors |= {"camera.focal": found.camera.focal, "camera.principal_point": found.camera.principal_point}
    write_tensors(path, tensors, {"metric": found.metric, "size": found.camera.size})


def read_alignment(path: Path, device: str = "cpu") -> Alignment:
    """Raises ValueError for a damaged file."""
    tensors, header = read_tensors(path, device)
    camera = Camera(tensors.pop("camera.focal"), tensors.pop("camera.principal_point"), tuple(header["size"]))
    terms: dict[str, Tensor] = {}
    for key in [key for key in tensors if key.startswith("energy_by_term.")]:
        terms[key.partition(".")[2]] = tensors.pop(key)
    return Alignment(**tensors, energy_by_term=terms, camera=camera, metric=header["metric"])


def _size(seen: Observation) -> int:
    tensors = [seen.image, seen.features.values, seen.mask, seen.depth.values if seen.depth else None]
    return sum(t.element_size() * t.nelement() for t in tensors if t is not None)
