"""The classes a node holds, on its device as far as its memory budget goes."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from semcorr_ros import backbones
from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.ros.class_size import KEPT, agreed
from semcorr_ros.ros.refusal import Code, Refusal

LARGEST_FILE = 2**30  # bytes; nothing larger is opened. Ours are below 10 MB, the largest published 452 MB
MEGABYTE = 2**20


@dataclass(frozen=True)
class Resident:
    """A class the node knows. An evicted one has no tensors until `ClassBank.hold` reads them again."""

    info: CategoryInfo
    known: tuple[str, ...]  # names of the keypoints that were ever annotated
    metric_scale: float  # of the file, else learned by `ClassBank.measure`; 0 = unknown
    backbone: str
    path: Path
    version: str  # first 12 hex digits of the SHA-256 of the file
    size: int  # bytes of the tensors
    active: bool  # aligned to every frame
    held: ClassRepresentation | None
    sizes: tuple[float, ...] = ()  # metres per canonical unit, as seen while metric_scale is unknown

    @property
    def model(self) -> ClassRepresentation:
        """Of a class that `hold` has just returned."""
        assert self.held is not None, f"class {self.info.name!r} is evicted"
        return self.held


class ClassBank:
    """Classes by name. Changes replace the whole table, so that any thread may read it.

    What is not active and has not been used for longest is evicted when the budget is exceeded.
    """

    def __init__(
        self,
        device: str,
        backbone: str,
        budget: int = 0,
        folder: str = "",
        on_change: Callable[[], None] = lambda: None,
    ):
        """budget: bytes of all tensors, 0 = no limit. folder: class files must be in it, "" = anywhere."""
        self._device, self._backbone = device, backbone
        self._budget = budget
        self._folder = Path(folder).expanduser() if folder else None
        self.on_change = on_change
        self.say: Callable[[str], object] = lambda sentence: None
        self._residents: dict[str, Resident] = {}  # least recently used first
        self._lock = threading.Lock()  # of changes; files are read without it

    def load(self, path: str | Path, active: bool = False, confined: bool = False) -> Resident:
        """Read a class file; a class of the same name is replaced.

        confined: the path comes from a caller who may be anybody.
        Raises Refusal BAD_FILE, BACKBONE_MISMATCH, FORBIDDEN, OUT_OF_MEMORY.
        """
        resident = self._read(self._allowed(Path(path)) if confined else Path(path), active)
        with self._lock:
            self._check_room({**self._residents, resident.info.name: resident}, resident.info.name)
            self._put(resident)
        self.on_change()
        return resident

    def unload(self, name: str) -> None:
        """Forget a class. Raises Refusal CLASS_UNKNOWN."""
        self.get(name)
        with self._lock:
            self._residents = {key: value for key, value in self._residents.items() if key != name}
        self.on_change()

    def activate(self, names: set[str]) -> None:
        """Make exactly these classes active.

        Raises Refusal CLASS_UNKNOWN, and OUT_OF_MEMORY when they do not fit together; nothing changes then.
        """
        missing = sorted(names - set(self._residents))
        if missing:
            loaded = ", ".join(sorted(self._residents)) or "none"
            raise Refusal(
                Code.CLASS_UNKNOWN,
                f"active_classes: no class {', '.join(missing)} is loaded; loaded: {loaded}",
            )
        with self._lock:
            changed = {
                name: replace(resident, active=name in names) for name, resident in self._residents.items()
            }
            self._check_room(changed)
            self._residents = self._within_budget(changed)
        self.on_change()

    def get(self, name: str) -> Resident:
        """What is known of a class. Raises Refusal CLASS_UNKNOWN listing what is loaded."""
        residents = self._residents
        if name not in residents:
            loaded = ", ".join(sorted(residents)) or "none"
            raise Refusal(Code.CLASS_UNKNOWN, f"no class {name!r} is loaded; loaded: {loaded}")
        return residents[name]

    def hold(self, name: str) -> Resident:
        """The class with its tensors on the device, read again if it was evicted. For the worker.

        Raises Refusal CLASS_UNKNOWN, BAD_FILE, BACKBONE_MISMATCH.
        """
        resident = self.get(name)
        if resident.held is not None:
            with self._lock:  # used last, evicted last
                table = self._residents
                if table.get(name) is resident and next(reversed(table)) != name:
                    self._residents = {**{k: v for k, v in table.items() if k != name}, name: resident}
            return resident
        again = _as_large_as(resident, self._read(resident.path, resident.active))
        if again.info.name != name:
            raise Refusal(Code.BAD_FILE, f"{resident.path} holds class {again.info.name!r} now, not {name!r}")
        with self._lock:
            again = replace(again, active=self._residents.get(name, again).active)
            self._put(again)
        self.on_change()
        return again

    def measure(self, resident: Resident, metres: float) -> None:
        """An object of the class was `metres` per canonical unit large: gives a class without size its own
        once several agree, for as long as it is loaded. A size that the class has is kept."""
        name = resident.info.name
        with self._lock:
            known = self._residents.get(name)
            if known is None or known.version != resident.version or known.metric_scale > 0:
                return
            sizes = (*known.sizes, metres)[-KEPT:]
            told, learned = replace(known, sizes=sizes), agreed(sizes)
            self._residents = {**self._residents, name: _sized(told, learned) if learned > 0 else told}
        if learned > 0:
            self.say(
                f"class {name!r} was built without a metric size; as seen here, {learned:.4g} metres per unit"
            )
            self.on_change()

    def evict_idle(self) -> int:
        """Drop the tensors of every class that is not active; how many bytes that frees."""
        with self._lock:
            freed = sum(r.size for r in self._residents.values() if r.held is not None and not r.active)
            self._residents = {
                name: resident if resident.active else replace(resident, held=None)
                for name, resident in self._residents.items()
            }
        self.on_change()
        return freed

    def all(self) -> list[Resident]:
        """Every class, sorted by name."""
        return [resident for _, resident in sorted(self._residents.items())]

    def used(self) -> int:
        """Bytes of all tensors on the device."""
        return sum(resident.size for resident in self._residents.values() if resident.held is not None)

    def _allowed(self, path: Path) -> Path:
        """Raises Refusal FORBIDDEN, BAD_FILE."""
        if self._folder is not None:
            path = self._folder / path  # an absolute path replaces the folder
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise Refusal(Code.FORBIDDEN, f"{path} is not in the class_folder {self._folder}")
        if path.suffix != ".safetensors":
            raise Refusal(Code.BAD_FILE, f"{path} does not end in .safetensors, as class files do")
        return path

    def _read(self, path: Path, active: bool) -> Resident:
        try:
            if path.exists() and not path.is_file():
                raise ValueError(f"{path} is not a file")
            if path.is_file() and path.stat().st_size > LARGEST_FILE:
                raise ValueError(f"{path} is too large for a class file: more than {LARGEST_FILE} bytes")
            model = read_class(path, self._device)
            version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        except (OSError, ValueError) as error:
            raise Refusal(Code.BAD_FILE, str(error)) from error
        if model.backbone != self._backbone:
            raise Refusal(
                Code.BACKBONE_MISMATCH,
                backbones.mismatch(backbones.origin_of(model), self._backbone, path),
            )
        names = zip(model.info.keypoint_names, model.seen.tolist(), strict=True)
        known = tuple(name for name, seen in names if seen)
        facts = (model.info, known, float(model.metric_scale), model.backbone)
        return Resident(*facts, path, version, tensor_bytes(model), active, model)

    def _put(self, resident: Resident) -> None:
        name = resident.info.name
        others = {key: value for key, value in self._residents.items() if key != name}
        self._residents = self._within_budget({**others, name: resident})

    def _within_budget(self, residents: dict[str, Resident]) -> dict[str, Resident]:
        """Without the tensors of the least recently used classes; the last one and active ones stay."""
        used = sum(resident.size for resident in residents.values() if resident.held is not None)
        kept = dict(residents)
        for name in list(residents)[:-1]:
            if not self._budget or used <= self._budget:
                break
            if kept[name].held is not None and not kept[name].active:
                used -= kept[name].size
                kept[name] = replace(kept[name], held=None)
        return kept

    def _check_room(self, residents: dict[str, Resident], new: str = "") -> None:
        """Raises Refusal OUT_OF_MEMORY when what must stay does not fit the budget."""
        staying = [r for r in residents.values() if r.active or r.info.name == new]
        needed = sum(resident.size for resident in staying)
        if self._budget and needed > self._budget:
            listed = ", ".join(f"{r.info.name} {r.size / MEGABYTE:.1f}" for r in staying)
            raise Refusal(
                Code.OUT_OF_MEMORY,
                f"classes need {needed / MEGABYTE:.1f} MB together ({listed}) but memory_budget_mb is "
                f"{self._budget / MEGABYTE:g}; make one inactive or raise the budget",
            )


def _sized(resident: Resident, metres: float) -> Resident:
    held = None if resident.held is None else replace(resident.held, metric_scale=metres)
    return replace(resident, metric_scale=metres, held=held)


def _as_large_as(before: Resident, again: Resident) -> Resident:
    """A class that was read again, with what had been learned of its size if it still is the same file."""
    if again.metric_scale > 0 or again.version != before.version:
        return again
    return _sized(replace(again, sizes=before.sizes), before.metric_scale)


def tensor_bytes(artefact: Any) -> int:
    """Bytes of all tensors in a dataclass of tensors and dataclasses."""
    if isinstance(artefact, torch.Tensor):
        return artefact.numel() * artefact.element_size()
    if dataclasses.is_dataclass(artefact):
        return sum(tensor_bytes(getattr(artefact, item.name)) for item in dataclasses.fields(artefact))
    return 0
