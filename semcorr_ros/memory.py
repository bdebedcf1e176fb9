"""How much memory a run has taken: for reports and diagnostics."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import torch

KILOBYTE = 1024
MEGABYTE = 2**20
NO_GPU = "none"


def peak_memory() -> dict[str, Any]:
    """Measure peak memory since the process began, JSON-ready.

    `process_bytes`: resident memory of this process; `worker_bytes`: the largest of those it started, once
    they have ended (0: none); `gpu`: its name, "none" where there is none, "unused" where torch did not need
    it; `gpu_bytes`: of tensors on all GPUs, None without. What else a GPU holds (CUDA itself, other programs)
    is not counted.
    """
    gpu, gpu_bytes = _gpu()
    return {
        "process_bytes": _resident(),
        "worker_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KILOBYTE,
        "gpu": gpu,
        "gpu_bytes": gpu_bytes,
    }


def _resident() -> int:
    # getrusage counts a process from before it became another program: a child would inherit its parent's.
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KILOBYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


def _gpu() -> tuple[str, int | None]:
    if not torch.cuda.is_available():
        return NO_GPU, None
    if not torch.cuda.is_initialized():
        return "unused", None
    devices = range(torch.cuda.device_count())
    name = torch.cuda.get_device_name()
    return name, sum(torch.cuda.max_memory_allocated(device) for device in devices)
