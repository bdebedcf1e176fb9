"""How fast this machine is at its best: bytes, arithmetic, and starting an operation."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from semcorr_lab.timing.clock import measure

NEAR, FAR = 2**21, 2**27  # bytes of a working set that stays in the caches, and of one that does not
SIDE = 1024  # of the matrices
LAUNCHES = 2000


@dataclass(frozen=True)
class Machine:
    """Best of what torch reaches with its threads."""

    near_bytes_per_s: float  # read and written, working set in the caches
    far_bytes_per_s: float  # from memory
    flops_per_s: float  # float32
    launch_s: float  # of an operation on a tiny tensor

    def bytes_per_s(self, working_set: float) -> float:
        """Return the rate for a working set of so many bytes."""
        return self.near_bytes_per_s if working_set <= 4 * NEAR else self.far_bytes_per_s


def measured(device: str = "cpu", runs: int = 15) -> Machine:
    """Measure this machine, which takes about a second."""
    square = torch.randn(SIDE, SIDE, device=device)
    product = torch.empty_like(square)
    multiply = measure(lambda _: torch.mm(square, square, out=product), runs, device)
    return Machine(
        near_bytes_per_s=_copied(NEAR, 64, runs, device),
        far_bytes_per_s=_copied(FAR, 1, runs, device),
        flops_per_s=2 * SIDE**3 / (1e-3 * multiply.median_ms),
        launch_s=_launch(runs, device),
    )


def _copied(size: int, times: int, runs: int, device: str) -> float:
    source = torch.zeros(size // 8, device=device)  # half of the working set, four bytes each
    target = torch.empty_like(source)

    def work(_: int) -> None:
        for _ in range(times):
            target.copy_(source)

    return times * size / (1e-3 * measure(work, runs, device).median_ms)


def _launch(runs: int, device: str) -> float:
    small = torch.zeros(1, device=device)

    def work(_: int) -> None:
        for _ in range(LAUNCHES):
            small.add_(1.0)

    return 1e-3 * measure(work, runs, device).median_ms / LAUNCHES
