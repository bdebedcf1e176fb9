"""Observe each image of a benchmark, and place the class in it, once, however many pairs show it."""

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

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.features import ImageRef, PairEncoder
from semcorr_ros.methods import Model, Placed, Search
from semcorr_ros.observations import Providers, observe, observe_mirrored

MEMORY_BYTES = 2_000_000_000  # of observations; placements are read again from disk
FAILURES = (ValueError, OSError, torch.linalg.LinAlgError)  # of one image; anything else is a bug


@dataclass(frozen=True)
class Setup:
    """Images, providers and model of a benchmark."""

    samples: dict[str, AnnotatedImage]  # by name
    providers: Providers
    model: Model
    seed: int = 0
    flip: tuple[int, ...] | None = None  # keypoint ids after mirroring; None: no adaptive flip
    whole_image: bool = False  # features of the whole image are compared: no object is looked for


class Views:
    """Placements by image name, stored in `folder`, so that an interrupted run can resume."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.seconds: dict[str, float] = {}  # spent on each image in this run
        self.setup, self._folder = setup, folder
        self._masks: dict[str, Bool[Tensor, "height width"] | None] = {}
        self._failures: dict[str, str] = {}
        self._placed: OrderedDict[str, Placed] = OrderedDict()

    def view(self, name: str) -> Placed:
        """Place the class in an image. Raises ValueError, each time for one that failed."""
        if name in self._failures:
            raise ValueError(self._failures[name])
        started = time.perf_counter()
        try:
            if name not in self._placed:
                self._remember(name, self._place(name))
        except FAILURES as error:
            self._failures[name] = f"{name}: {error}"
            raise ValueError(self._failures[name]) from error
        self.seconds.setdefault(name, time.perf_counter() - started)
        self._placed.move_to_end(name)
        return self._placed[name]

    def pair(self, source: str, target: str) -> tuple[Placed, Placed]:
        """Place both; with features of this very pair where the backbone computes such. Raises as `view`."""
        views = self.view(source), self.view(target)
        features = self.setup.providers.features
        if not isinstance(features, PairEncoder) or not self.setup.whole_image:
            return views
        category = self.setup.samples[source].category
        names = (source, target)
        pictures = [self.setup.samples[name].picture for name in names]
        refs = [ImageRef(one.seen.image, name, category) for one, name in zip(views, pictures, strict=True)]
        first, second = (
            self._put(dataclasses.replace(one.seen, features=own), name)
            for one, own, name in zip(views, features.encode_pair(*refs), names, strict=True)
        )
        return first, second

    def mirrored(self, name: str) -> Placed | None:
        """Place the class in the mirrored image; None where the backbone cannot encode it. Raises as
        `view`."""
        key = f"{name} mirrored"
        if key not in self._placed:
            features = Providers(self.setup.providers.features)
            mirrored = observe_mirrored(self.setup.samples[name], self.view(name).seen, features)
            if mirrored is None:
                return None
            self._remember(key, self._put(mirrored, key))
        return self._placed[key]

    def mask(self, name: str) -> Bool[Tensor, "height width"] | None:
        """Ask the mask providers where the object is, also for methods that ignore it."""
        if name not in self._masks:
            sample, seen, model = self.setup.samples[name], self.view(name).seen, self._recognizer
            found = (one.mask(sample, seen, model) for one in self.setup.providers.masks)
            self._masks[name] = next((mask for mask in found if mask is not None), None)
        return self._masks[name]

    @property
    def _recognizer(self) -> Model | None:
        return self.setup.model if self.setup.model.recognizes else None

    def _place(self, name: str) -> Placed:
        if name not in self.setup.samples:
            raise ValueError("no readable image or annotation")
        providers = self.setup.providers
        if self.setup.whole_image:
            providers = Providers(providers.features)
        seen = observe(self.setup.samples[name], providers, self._recognizer)
        path, model = placement_path(self._folder, name), self.setup.model
        placed = model.restore(path, seen)
        if placed is None:
            placed = self._put(seen, name)
            model.store(path, placed)
        return placed

    def _put(self, seen: Observation, name: str) -> Placed:
        # Seeded by the image, so that neither order nor resumption changes a result.
        digest = hashlib.sha256(f"{self.setup.seed}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
        return self.setup.model.place(seen, Search(generator))

    def _remember(self, key: str, placed: Placed) -> None:
        self._placed[key] = placed
        while len(self._placed) > 2 and sum(_size(one.seen) for one in self._placed.values()) > MEMORY_BYTES:
            self._placed.popitem(last=False)


def placement_path(folder: Path, name: str) -> Path:
    """Return the file that stores the placement in an image."""
    return folder / f"{name}.safetensors"


def _size(seen: Observation) -> int:
    tensors = [seen.image, seen.features.values, seen.mask, seen.depth.values if seen.depth else None]
    return sum(t.element_size() * t.nelement() for t in tensors if t is not None)
