"""Pictures with marked points, by class and id: stored once, on disk, and placed again on demand."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.pose_transfer import Poses
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.serving.demonstration_file import (
    NO_POSES,
    Info,
    Record,
    check_size,
    describe,
    info_from,
    read_info,
    read_record,
    write_record,
)
from semcorr_ros.serving.resident import Resident

MAX_VIEWS = 16  # placed demonstrations kept on the device; the least recently used one is dropped
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
SUFFIX = ".safetensors"
LARGEST_MEMORY = 512 * 2**20  # bytes of messages kept without a folder

Key = tuple[str, str]  # class, id


@dataclass(frozen=True)
class Taught:
    """A demonstration with its class placed in it."""

    answer: Answer
    points: Tensor  # (N, 2), pixels
    names: tuple[str, ...]
    class_version: str
    poses: Poses = NO_POSES  # of the gripper
    pose_names: tuple[str, ...] = ()


def taught_from(record: Record, answer: Answer, class_version: str) -> Taught:
    """Join a demonstration and where its class was placed in it."""
    return Taught(answer, record.points, record.names, class_version, record.poses, record.pose_names)


class Demonstrations:
    """Demonstrations in `folder`; "" = in memory only. Tables are replaced, so that any thread may read."""

    def __init__(self, folder: str, most: int, warn: Callable[[str], object]):
        self._folder = Path(folder).expanduser() if folder else None
        self._most = most
        self._views: OrderedDict[Key, Taught] = OrderedDict()
        self._memory: dict[Key, Record] = {}
        self._infos = self._scan(warn) if self._folder else {}

    def infos(self, class_name: str = "") -> list[Info]:
        """List all stored demonstrations, or those of a class; sorted."""
        return [info for _, info in sorted(self._infos.items()) if class_name in ("", info.class_name)]

    def check_new(self, key: Key, overwrite: bool) -> None:
        """Check that a demonstration may be stored. Raises Refusal FORBIDDEN, BAD_REQUEST, OUT_OF_MEMORY."""
        self._path(key)
        if key in self._infos and not overwrite:
            raise Refusal(
                Code.BAD_REQUEST,
                f"class {key[0]!r} has a demonstration {key[1]!r} already; set `overwrite` or change the id",
            )
        if key not in self._infos and len(self._infos) >= self._most:
            raise Refusal(
                Code.OUT_OF_MEMORY,
                f"{len(self._infos)} demonstrations are stored and max_demonstrations is {self._most}",
            )

    def store(self, record: Record, taught: Taught) -> Info:
        """Write a demonstration, without a folder to memory. Raises Refusal as `check_new`, and BAD_FILE."""
        key = record.class_name, record.id
        path = self._path(key)
        try:
            if path is None:
                self._remember(key, record)
                info = info_from(describe(record), persistent=False)
            else:
                info = write_record(path, record)
        except (OSError, ValueError) as error:
            raise Refusal(Code.BAD_FILE, f"the demonstration was not stored: {error}") from error
        self._infos = {**self._infos, key: info}
        self.keep(key, taught)
        return info

    def _remember(self, key: Key, record: Record) -> None:
        others = {other: kept for other, kept in self._memory.items() if other != key}
        used = check_size(record) + sum(map(check_size, others.values()))
        if used > LARGEST_MEMORY:
            raise Refusal(
                Code.OUT_OF_MEMORY,
                f"demonstrations kept in memory would have {used} bytes, at most {LARGEST_MEMORY}; "
                "set the parameter demonstration_folder, or delete some",
            )
        self._memory = {**others, key: record}

    def delete(self, key: Key) -> None:
        """Delete a demonstration. Raises Refusal FORBIDDEN, DEMONSTRATION_UNKNOWN, BAD_FILE."""
        path = self._path(key)
        if key not in self._infos:
            raise self._unknown(key)
        if path is not None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise Refusal(Code.BAD_FILE, f"the demonstration was not removed: {error}") from error
        self._infos = {other: info for other, info in self._infos.items() if other != key}
        self._memory = {other: record for other, record in self._memory.items() if other != key}
        self._views.pop(key, None)

    def keep(self, key: Key, taught: Taught) -> None:
        """Keep a placed picture, stored or not, until newer ones evict it."""
        self._views[key] = taught
        self._views.move_to_end(key)
        while len(self._views) > MAX_VIEWS:
            self._views.popitem(last=False)

    def find(self, key: Key, resident: Resident, place: Callable[[Record], Answer]) -> Taught:
        """Return a demonstration placed with the current class; `place` aligns it where it is not placed yet.

        Raises Refusal DEMONSTRATION_UNKNOWN, FORBIDDEN, BAD_FILE, and what `place` raises.
        """
        taught = self._views.get(key)
        if taught is not None and taught.class_version == resident.version:
            self.keep(key, taught)
            return taught
        path = self._path(key)
        if key not in self._infos:
            raise self._unknown(key)
        try:
            record = self._memory[key] if path is None else read_record(path)
        except (OSError, ValueError) as error:
            raise Refusal(Code.BAD_FILE, str(error)) from error
        taught = taught_from(record, place(record), resident.version)
        self.keep(key, taught)
        return taught

    def forget(self) -> None:
        """Drop the placed pictures; what is stored remains."""
        self._views = OrderedDict()

    def _unknown(self, key: Key) -> Refusal:
        known = sorted({id for name, id in [*self._views, *self._infos] if name == key[0]})
        return Refusal(
            Code.DEMONSTRATION_UNKNOWN,
            f"no picture of class {key[0]!r} is kept as {key[1]!r}; kept: {', '.join(known) or 'none'}; "
            "store it with ~/store_demonstration, or send `source_image` with the id once",
        )

    def _path(self, key: Key) -> Path | None:
        """Return the file of a demonstration, certainly inside the folder. Raises Refusal FORBIDDEN."""
        for kind, name in zip(("class name", "demonstration_id"), key, strict=True):
            if not NAME.fullmatch(name):
                raise Refusal(
                    Code.FORBIDDEN,
                    f"{kind} {name[:80]!r} must be 1-64 letters, digits, '_', '-' or '.', "
                    "the first a letter or digit",
                )
        if self._folder is None:
            return None
        path = self._folder / key[0] / f"{key[1]}{SUFFIX}"
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise Refusal(Code.FORBIDDEN, f"{path} leads out of {self._folder}")
        return path

    def _scan(self, warn: Callable[[str], object]) -> dict[Key, Info]:
        assert self._folder is not None
        infos: dict[Key, Info] = {}
        for path in sorted(self._folder.glob(f"[!.]*/[!.]*{SUFFIX}")):
            if len(infos) >= self._most:
                warn(f"{self._folder} holds more than max_demonstrations = {self._most}: {path} is left out")
                break
            key = path.parent.name, path.name.removesuffix(SUFFIX)
            try:
                self._path(key)
                info = read_info(path)
                if (info.class_name, info.id) != key:
                    raise ValueError(f"{path} says it is {info.class_name}/{info.id}")
                infos[key] = info
            except (OSError, ValueError, Refusal) as error:
                warn(f"demonstration left out: {error}")
        return infos


def named(taught: Taught, names: list[str]) -> tuple[Tensor, list[str]]:
    """Select points of a demonstration by name; all of them without names. Raises Refusal BAD_REQUEST."""
    for name in names:
        if name not in taught.names:
            known = ", ".join(taught.names) or "none"
            raise Refusal(Code.BAD_REQUEST, f"the demonstration has no point {name!r}; it has: {known}")
    if not taught.names:
        raise Refusal(Code.BAD_REQUEST, "the demonstration was stored without points; give `points`")
    wanted = names or list(taught.names)
    return taught.points[[taught.names.index(name) for name in wanted]], wanted


def poses_named(taught: Taught, names: list[str]) -> tuple[Poses, list[str]]:
    """Select poses of a demonstration by name; all of them without names. Raises Refusal BAD_REQUEST."""
    known = ", ".join(taught.pose_names) or "none"
    for name in names:
        if name not in taught.pose_names:
            raise Refusal(Code.BAD_REQUEST, f"the demonstration has no pose {name!r}; it has: {known}")
    if not taught.pose_names:
        raise Refusal(
            Code.BAD_REQUEST, "the demonstration was stored without `poses`: store it again with some"
        )
    wanted = names or list(taught.pose_names)
    rows = [taught.pose_names.index(name) for name in wanted]
    return Poses(taught.poses.position[rows], taught.poses.rotation[rows]), wanted
