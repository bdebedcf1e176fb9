"""Verify the files of a model: against known hashes, sizes, and the header of safetensors."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.weights import _locate
from semcorr_ros.weights._manifest import FileFacts, Model

CHUNK = 1 << 22
SHA256 = re.compile(r"[0-9a-f]{64}")
HEADER_LIMIT = 100_000_000  # bytes, as in the safetensors library


@dataclass(frozen=True)
class FileReport:
    """Result for one file. `checked` says how: "sha256", "git sha1", "structure" (safetensors: nothing is cut
    off or added), "size" or "presence"."""

    path: str
    bytes: int
    checked: str
    problem: str = ""  # empty: nothing wrong was found


def check(model: Model, folder: Path) -> list[FileReport]:
    """Check every file of the manifest that the folder holds, and report every missing one."""
    missing = [FileReport(path, 0, "presence", "missing") for path in _locate.missing_files(model, folder)]
    return [_check_file(folder, path, facts) for path, facts in _present(model, folder)] + missing


def _present(model: Model, folder: Path) -> list[tuple[Path, FileFacts]]:
    if model.is_file:
        return [
            (folder / model.file_name, facts)
            for facts in model.files.values()
            if (folder / model.file_name).is_file()
        ]
    return [(path, facts) for pattern, facts in model.files.items() for path in sorted(folder.glob(pattern))]


def _check_file(folder: Path, path: Path, facts: FileFacts) -> FileReport:
    size = path.stat().st_size
    name = path.relative_to(folder).as_posix()
    if facts.bytes is not None and size != facts.bytes:
        return FileReport(name, size, "size", f"{size} bytes, expected {facts.bytes}")
    published = facts.sha256 or _published_sha256(folder, path)
    if published:
        return FileReport(name, size, "sha256", _difference(_digest(path, "sha256"), published))
    if facts.git_sha1:
        found = _digest(path, "sha1", f"blob {size}\0".encode())
        return FileReport(name, size, "git sha1", _difference(found, facts.git_sha1))
    if path.suffix == ".safetensors":
        return FileReport(name, size, "structure", _structure_problem(path, size))
    return FileReport(name, size, "presence" if facts.bytes is None else "size", "" if size else "empty")


def _published_sha256(folder: Path, path: Path) -> str:
    """Find the hash published with the file: the hub's cache names large files by it, other folders keep
    notes."""
    blob = path.resolve().name
    if path.is_symlink() and SHA256.fullmatch(blob):
        return blob
    notes = folder / ".cache" / "huggingface" / "download" / f"{path.relative_to(folder).as_posix()}.metadata"
    lines = notes.read_text().split() if notes.is_file() else []
    return lines[1] if len(lines) > 1 and SHA256.fullmatch(lines[1]) else ""


def _structure_problem(path: Path, size: int) -> str:
    """Check the size against the header of a safetensors file, which says where its last tensor ends."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, HEADER_LIMIT):
            return "not a safetensors file, or cut off in its header"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return "not a safetensors file: its header is damaged"
    expected = 8 + length + max(ends, default=0)
    return "" if size == expected else f"{size} bytes, its header says {expected}"


def _difference(found: str, expected: str) -> str:
    return "" if found == expected else f"its hash is {found}, expected {expected}"


def _digest(path: Path, algorithm: str, head: bytes = b"") -> str:
    digest = hashlib.new(algorithm, head, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
