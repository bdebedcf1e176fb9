"""Damaged, truncated and foreign class files: refused with the reason, and the loaded class stays."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from semcorr_ros.srv import LoadClass

from benchmark.faults import lab
from semcorr_ros.refusal import Code


def damaged_files(subject: lab.Subject, count: int, seed: int = 0) -> dict[str, Any]:
    """Try `count` files, one after the other, on one node."""
    rng = np.random.default_rng(seed)
    answers: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    silent = 0
    folder = subject.folder / "damaged"
    folder.mkdir(parents=True, exist_ok=True)
    with lab.start_node(subject) as node, lab.probing() as probe:
        for i in range(count):
            kind = list(DAMAGE)[i % len(DAMAGE)]
            path = folder / f"{kind}.safetensors"
            DAMAGE[kind](subject.class_file.read_bytes(), path, rng)
            request = LoadClass.Request(path=str(path.resolve()))
            response = probe.call(LoadClass, f"{subject.full_name}/load_class", request)
            answers[Code(response.error_code).name] += 1
            accepted[kind] += response.success
            silent += not response.message
        probe.call(
            LoadClass, f"{subject.full_name}/load_class", LoadClass.Request(path=str(subject.class_file))
        )
        after = probe.transfer(subject, subject.inline_request())
        return {
            "files": count,
            "answers": dict(answers),
            "accepted": {kind: n for kind, n in accepted.items() if n},
            "without_a_reason": silent,
            "alive": node.alive,
            "tracebacks": node.tracebacks(),
            "works_after": after.success,
        }


def _truncate(data: bytes, path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(data[: int(rng.integers(len(data)))])


def _garble_header(data: bytes, path: Path, rng: np.random.Generator) -> None:
    size = int.from_bytes(data[:8], "little")
    spoiled = bytearray(data)
    for _ in range(int(rng.integers(1, 20))):
        spoiled[int(rng.integers(8 + size))] = int(rng.integers(256))
    path.write_bytes(bytes(spoiled))


def _infinite(data: bytes, path: Path, rng: np.random.Generator) -> None:
    """Bytes of the tensors that read as NaN or infinity in any float format."""
    size = int.from_bytes(data[:8], "little")
    spoiled = bytearray(data)
    spoiled[8 + size :] = b"\xff" * (len(data) - 8 - size)
    path.write_bytes(bytes(spoiled))


def _huge_header(data: bytes, path: Path, rng: np.random.Generator) -> None:
    path.write_bytes((2**62).to_bytes(8, "little") + data[8:])


def _noise(data: bytes, path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(rng.bytes(int(rng.integers(1, 100_000))))


def _pickle(data: bytes, path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(pickle.dumps({"sparse": [1.0]}))


def _foreign(data: bytes, path: Path, rng: np.random.Generator) -> None:
    save_file({"weight": torch.zeros(3, 3)}, path)


def _empty(data: bytes, path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"")


DAMAGE = {
    "truncated": _truncate, "header": _garble_header, "not_finite": _infinite, "huge_header": _huge_header,
    "noise": _noise, "pickle": _pickle, "foreign": _foreign, "empty": _empty,
}  # fmt: skip
