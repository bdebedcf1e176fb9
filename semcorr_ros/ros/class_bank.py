"""The classes a node holds, resident on its device."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from semcorr_ros.artifacts import ClassRepresentation
from semcorr_ros.representation.class_file import read_class
from semcorr_ros.ros.refusal import Code, Refusal


@dataclass(frozen=True)
class Resident:
    """A loaded class."""

    model: ClassRepresentation
    path: Path
    version: str  # first 12 hex digits of the SHA-256 of the file
    active: bool  # aligned to every frame


class ClassBank:
    """Classes by name. Changes replace the whole table, so that any thread may read it."""

    def __init__(self, device: str, backbone: str):
        self._device = device
        self._backbone = backbone
        self._residents: dict[str, Resident] = {}

    def load(self, path: str | Path, active: bool = False) -> Resident:
        """Read a class file; a class of the same name is replaced.

        Raises Refusal BAD_FILE, BACKBONE_MISMATCH.
        """
        path = Path(path)
        try:
            version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            model = read_class(path, self._device)
        except (OSError, ValueError) as error:
            raise Refusal(Code.BAD_FILE, str(error)) from error
        if model.backbone != self._backbone:
            raise Refusal(
                Code.BACKBONE_MISMATCH,
                f"{path} was built on backbone {model.backbone!r} but this node computes {self._backbone!r}; "
                "start the node with that backbone or rebuild the class",
            )
        resident = Resident(model, path, version, active)
        self._residents = {**self._residents, model.info.name: resident}
        return resident

    def unload(self, name: str) -> None:
        """Forget a class. Raises Refusal CLASS_UNKNOWN."""
        self.get(name)
        self._residents = {key: value for key, value in self._residents.items() if key != name}

    def activate(self, names: set[str]) -> None:
        """Make exactly these classes active; names that are not loaded wait for nothing and are ignored."""
        self._residents = {
            name: replace(resident, active=name in names) for name, resident in self._residents.items()
        }

    def get(self, name: str) -> Resident:
        """Raises Refusal CLASS_UNKNOWN listing what is loaded."""
        residents = self._residents
        if name not in residents:
            loaded = ", ".join(sorted(residents)) or "none"
            raise Refusal(Code.CLASS_UNKNOWN, f"no class {name!r} is loaded; loaded: {loaded}")
        return residents[name]

    def all(self) -> list[Resident]:
        """Every class, sorted by name."""
        return [resident for _, resident in sorted(self._residents.items())]
