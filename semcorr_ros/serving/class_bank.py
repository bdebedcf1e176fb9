"""The classes of a node, on its device as far as the memory budget allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from semcorr_ros.answer import Answer
from semcorr_ros.methods import FAST, Quality
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.serving.class_size import KEPT, agreed, size_shown
from semcorr_ros.serving.resident import Resident, as_large_as, read_resident, sized

MEGABYTE = 2**20


class ClassBank:
    """Classes by name. Changes replace the whole table, so that any thread may read it.

    Beyond the budget, the least recently used inactive classes are evicted.
    """

    def __init__(
        self,
        device: str,
        backbone: str,
        budget: int = 0,
        folder: str = "",
        quality: Quality = FAST,
    ):
        """Create an empty bank. quality: of placement. budget: bytes of all tensors, 0 = no limit. folder:
        class files must be in it, "" = anywhere."""
        self._device, self._backbone = device, backbone
        self._budget = budget
        self._folder = Path(folder).expanduser() if folder else None
        self._quality = quality
        self.on_change: Callable[[], None] = lambda: None
        self.say: Callable[[str], object] = lambda sentence: None
        self._residents: dict[str, Resident] = {}  # least recently used first
        self._lock = threading.Lock()  # of changes; files are read without it

    def load(self, path: str | Path, active: bool = False, confined: bool = False) -> Resident:
        """Read a class file; a class of the same name is replaced.

        confined: the path comes from an untrusted caller. Raises Refusal BAD_FILE, BACKBONE_MISMATCH,
        FORBIDDEN, OUT_OF_MEMORY.
        """
        allowed = self._allowed(Path(path)) if confined else Path(path)
        resident = replace(self._read(allowed), active=active)
        with self._lock:
            self._check_room({**self._residents, resident.info.name: resident}, resident.info.name)
            self._put(resident)
        self.on_change()
        return resident

    def unload(self, name: str) -> None:
        """Remove a class. Raises Refusal CLASS_UNKNOWN."""
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
        """Return a class, perhaps evicted. Raises Refusal CLASS_UNKNOWN listing what is loaded."""
        residents = self._residents
        if name not in residents:
            loaded = ", ".join(sorted(residents)) or "none"
            raise Refusal(Code.CLASS_UNKNOWN, f"no class {name!r} is loaded; loaded: {loaded}")
        return residents[name]

    def hold(self, name: str) -> Resident:
        """Return a class with its tensors on the device, read again if it was evicted. For the worker.

        Raises Refusal CLASS_UNKNOWN, BAD_FILE, BACKBONE_MISMATCH.
        """
        resident = self.get(name)
        if resident.held is not None:
            with self._lock:  # used last, evicted last
                table = self._residents
                if table.get(name) is resident and next(reversed(table)) != name:
                    self._residents = {**{k: v for k, v in table.items() if k != name}, name: resident}
            return resident
        again = as_large_as(resident, replace(self._read(resident.path), active=resident.active))
        if again.info.name != name:
            raise Refusal(Code.BAD_FILE, f"{resident.path} holds class {again.info.name!r} now, not {name!r}")
        with self._lock:
            again = replace(again, active=self._residents.get(name, again).active)
            self._put(again)
        self.on_change()
        return again

    def learn(self, resident: Resident, answers: Sequence[Answer], sensor: bool) -> None:
        """Learn the metric size of a class without one, once several pictures agree, for as long as it is
        loaded. sensor: the picture's depth is measured."""
        for answer in answers if resident.metric_scale <= 0 else ():
            if metres := size_shown(answer, sensor):
                self.measure(resident, metres)

    def measure(self, resident: Resident, metres: float) -> None:
        """Record that an object of the class measured `metres` per canonical unit."""
        name = resident.info.name
        with self._lock:
            known = self._residents.get(name)
            if known is None or known.version != resident.version or known.metric_scale > 0:
                return
            sizes = (*known.sizes, metres)[-KEPT:]
            told, learned = replace(known, sizes=sizes), agreed(sizes)
            self._residents = {**self._residents, name: sized(told, learned) if learned > 0 else told}
        if learned > 0:
            self.say(
                f"class {name!r} was built without a metric size; as seen here, {learned:.4g} metres per unit"
            )
            self.on_change()

    def evict_idle(self) -> int:
        """Drop the tensors of every class that is not active; return the bytes freed."""
        with self._lock:
            freed = sum(r.size for r in self._residents.values() if r.held is not None and not r.active)
            self._residents = {
                name: resident if resident.active else replace(resident, held=None)
                for name, resident in self._residents.items()
            }
        self.on_change()
        return freed

    def all(self) -> list[Resident]:
        """List every class, sorted by name."""
        return [resident for _, resident in sorted(self._residents.items())]

    def used(self) -> int:
        """Sum the bytes of all tensors on the device."""
        return sum(resident.size for resident in self._residents.values() if resident.held is not None)

    def _read(self, path: Path) -> Resident:
        return read_resident(path, self._device, self._backbone, self._quality)

    def _allowed(self, path: Path) -> Path:
        """Resolve an untrusted path. Raises Refusal FORBIDDEN, BAD_FILE."""
        if self._folder is not None:
            path = self._folder / path  # an absolute path replaces the folder
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise Refusal(Code.FORBIDDEN, f"{path} is not in the class_folder {self._folder}")
        if path.suffix != ".safetensors":
            raise Refusal(Code.BAD_FILE, f"{path} does not end in .safetensors, as class files do")
        return path

    def _put(self, resident: Resident) -> None:
        name = resident.info.name
        others = {key: value for key, value in self._residents.items() if key != name}
        self._residents = self._within_budget({**others, name: resident})

    def _within_budget(self, residents: dict[str, Resident]) -> dict[str, Resident]:
        """Evict the least recently used classes beyond the budget; the last one and active ones stay."""
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
