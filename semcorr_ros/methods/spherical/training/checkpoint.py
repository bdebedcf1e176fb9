"""A training run on disk, as safetensors: one that was killed goes on as if it had not been."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from semcorr_ros.storage import read_tensors, write_tensors

STATE = ("exp_avg", "exp_avg_sq", "step")  # of Adam


@dataclass
class Run:
    """A training run."""

    networks: nn.ModuleDict
    optimizer: torch.optim.Optimizer
    step: int = 0
    losses: list[dict[str, float]] = field(default_factory=list)  # JSON-ready, one row per report


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
    tensors, header = read_tensors(path, device)
    if header.get("identity") != identity:
        raise ValueError(
            f"{path} is of another run: {_difference(header.get('identity'), identity)}; delete it"
        )
    run.networks.load_state_dict(
        {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    )
    for name, parameter in run.networks.named_parameters():
        kept = {key: tensors.get(f"optimizer.{key}.{name}") for key in STATE}
        run.optimizer.state[parameter] = {key: value for key, value in kept.items() if value is not None}
    run.step, run.losses = int(header["step"]), list(header["losses"])
    return True


def _difference(kept: object, wanted: dict[str, object]) -> str:
    if not isinstance(kept, dict):
        return "it does not say of which"
    names = [key for key in wanted if kept.get(key) != wanted[key]]
    return (
        ", ".join(f"{key} was {kept.get(key)!r} and is {wanted[key]!r}" for key in names) or "another version"
    )
