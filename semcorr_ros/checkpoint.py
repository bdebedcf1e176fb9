"""A training run on disk, as safetensors: one that was killed goes on as if it had not been."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semcorr_ros.storage import read_tensors, write_tensors

STATE = ("exp_avg", "exp_avg_sq", "step")  # of Adam


@dataclass
class Run:
    """A training run. Parameters that need no gradient are kept, and not the optimizer's."""

    networks: nn.ModuleDict
    optimizer: torch.optim.Optimizer
    step: int = 0
    losses: list[dict[str, float]] = field(default_factory=list)  # JSON-ready, one row per report
    unmoved: tuple[str, ...] = ()  # endings of parameters of which the loss has no gradient


def save(run: Run, path: Path, identity: dict[str, object]) -> None:
    """Write the checkpoint atomically."""
    tensors = {f"network.{name}": values for name, values in run.networks.state_dict().items()}
    for name, parameter in run.networks.named_parameters():
        for key, value in run.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    # One module under two names would be one tensor twice, which safetensors refuses.
    tensors = {name: values.clone() for name, values in tensors.items()}
    write_tensors(path, tensors, {"step": run.step, "losses": run.losses, "identity": identity})


def restore(run: Run, path: Path, identity: dict[str, object]) -> bool:
    """Go on from a checkpoint; False where there is none.

    Raises ValueError for a damaged one and for one of another run.
    """
    if not path.is_file():
        return False
    device = str(next(run.networks.parameters()).device)
    try:
        tensors, header = read_tensors(path, device)
        if header["identity"] != identity:
            raise _AnotherRunError(_difference(header["identity"], identity))
        _fill(run, tensors, header)
    except _AnotherRunError as error:
        raise ValueError(f"{path} is of another run: {error}; delete it, or give another --work") from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it to start over") from error
    return True


class _AnotherRunError(ValueError):
    """Raised for a checkpoint of other settings or pictures."""


def _fill(run: Run, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    step = int(header["step"])
    losses = [{str(name): float(value) for name, value in row.items()} for row in header["losses"]]
    if step < 0 or any("step" not in row for row in losses):
        raise ValueError(f"step {step}, {len(losses)} rows of losses")
    if not all(values.isfinite().all() for values in tensors.values()):
        raise ValueError("not all numbers are finite")
    own = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    run.networks.load_state_dict(own)
    moved = {name for name in tensors if name.startswith(f"optimizer.{STATE[0]}.")}
    for name, parameter in run.networks.named_parameters():
        if f"optimizer.{STATE[0]}.{name}" in moved:
            run.optimizer.state[parameter] = {key: tensors[f"optimizer.{key}.{name}"] for key in STATE}
        elif step and parameter.requires_grad and not name.endswith(run.unmoved):
            raise KeyError(f"optimizer.{STATE[0]}.{name}")
    run.step, run.losses = step, losses


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C to the end of the block: half a step could not be gone on from."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def _difference(kept: object, wanted: dict[str, object]) -> str:
    if not isinstance(kept, dict):
        return "it does not say of which"
    names = [key for key in wanted if kept.get(key) != wanted[key]]
    return (
        ", ".join(f"{key} was {kept.get(key)!r} and is {wanted[key]!r}" for key in names) or "another version"
    )
