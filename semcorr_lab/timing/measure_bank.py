"""Memory of many resident classes, in a process of its own: `python -m semcorr_lab.timing.measure_bank FILE`.

Prints JSON. Part of `semcorr_ros bench`; needs no ROS.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.artifacts import Prototypes
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class, write_class
from semcorr_ros.serving.class_bank import ClassBank

LARGE = 768  # channels of a base-size vision transformer


def main(argv: list[str] | None = None) -> int:
    """Measure and print JSON. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("class_file", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # as in the node's thread that reads
    model = read_class(args.class_file)
    found = {
        "as built": measure(model, args.count, args.device),
        f"{LARGE} channels": measure(widened(model, LARGE), args.count, args.device),
    }
    json.dump(found, sys.stdout)
    return 0


def measure(model: ClassRepresentation, count: int, device: str) -> dict[str, Any]:
    """Load `count` copies, under names of their own, from files into a bank without a budget."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.safetensors"
        bank = ClassBank(device, model.backbone)
        before, seconds = _used(device), []
        for i in range(count):
            write_class(path, replace(model, info=replace(model.info, name=f"class_{i:03d}")))
            begun = time.perf_counter()
            bank.load(path)
            seconds.append(time.perf_counter() - begun)
        return {
            "classes": count,
            "file_mb": path.stat().st_size / 1e6,
            "tensors_mb_per_class": bank.used() / count / 1e6,
            "tensors_mb": bank.used() / 1e6,
            "process_mb": (_used(device) - before) / 1e6,
            "load_ms": 1e3 * float(torch.tensor(seconds).median()),
        }


def widened(model: ClassRepresentation, channels: int) -> ClassRepresentation:
    """Replace the prototypes by zeros of another backbone's size, for the same memory."""

    def wider(prototypes: Prototypes) -> Prototypes:
        return replace(prototypes, features=torch.zeros(len(prototypes.features), channels))

    dense = replace(model.dense, prototypes=wider(model.dense.prototypes))
    return replace(model, dense=dense, sparse_prototypes=wider(model.sparse_prototypes))


def _used(device: str) -> int:
    """Count bytes in use on the device; on the CPU, by this process."""
    if device.startswith("cuda"):
        return torch.cuda.memory_allocated(device)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    raise SystemExit(main())
