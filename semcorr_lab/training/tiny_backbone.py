"""Trains the `tiny` backbone: cosine regression to the codebook, sharpened by its anchors.

Every step draws its batch from (seed, step) alone, so an interrupted run that resumes from its
checkpoint takes the same steps as one that was never stopped.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from semcorr_lab.training.muon import Muon
from semcorr_lab.training.rendered_samples import RenderedSample
from semcorr_lab.training.tiny_augment import Batch, make_batch
from semcorr_lab.training.tiny_targets import BACKGROUND, Codebook
from semcorr_ros.features._tiny_network import STRIDE, TinyNetwork
from semcorr_ros.storage import read_tensors, write_tensors

_SHARPNESS = 12.0  # inverse temperature of the anchors
_ANCHOR_WEIGHT = 0.5
_BACKGROUND_WEIGHT = 0.35  # a background cell counts this much of an object cell
_CELLS = 320  # per picture that the loss looks at; neighbors are nearly the same
_AVERAGING = 0.998
_SAVE_EVERY = 100
_OPTIMIZER_STATE = ("momentum", "step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class TrainingConfig:
    """Training schedule.

    The committed weights: these defaults, continued with `--sides 160 160 240` up to 5200 steps and with
    `--sides 240 240 240` up to 19100 of 20000.
    """

    steps: int = 3600
    batch: int = 16
    sides: tuple[int, ...] = (96, 160, 240)  # pixels of the square training pictures, small and fast first
    shares: tuple[float, ...] = (0.6, 0.26, 0.14)  # of the steps, per side
    learning_rate: float = 0.02  # of Muon, which trains the inner weights
    vector_learning_rate: float = 2e-3  # of AdamW, which trains everything else
    weight_decay: float = 0.02
    warm_up: float = 0.05  # share of the steps
    seed: int = 0
    bfloat16: bool = True  # mixed precision
    device: str = "cpu"
    workers: int = 0  # processes that make batches while the network learns


@dataclass
class _State:
    network: TinyNetwork
    average: TinyNetwork
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0


def train(
    samples: Sequence[RenderedSample],
    codebook: Codebook,
    config: TrainingConfig,
    checkpoint: Path,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> TinyNetwork:
    """Train, or go on from `checkpoint`; returns the averaged network. A finished run goes on, at the
    pace of the longer schedule, when `config` asks for more steps.

    The checkpoint is written every 100 steps and on KeyboardInterrupt, which is raised again.
    Raises ValueError when there are no samples or the checkpoint is of another configuration.
    """
    if not samples:
        raise ValueError("no training samples")
    state = _start(config)
    if checkpoint.is_file():
        _restore(state, config, checkpoint)
    batches = DataLoader(
        _Batches(samples, config),
        batch_size=None,
        sampler=range(state.step, config.steps),
        num_workers=config.workers,
    )
    try:
        for batch in batches:
            value = _one_step(state, batch, codebook, config)
            on_step(state.step, value)
            if state.step % _SAVE_EVERY == 0:
                _save(state, config, checkpoint)
    finally:
        _save(state, config, checkpoint)
    return state.average.eval()


class _Batches(Dataset[Batch]):
    """Batch number i of a run, made from nothing but the seed and i."""

    def __init__(self, samples: Sequence[RenderedSample], config: TrainingConfig):
        self._samples, self._config = samples, config

    def __getitem__(self, step: int) -> Batch:
        config = self._config
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        chosen = torch.randint(len(self._samples), (config.batch,), generator=generator).tolist()
        side = side_at(step, config)
        return make_batch([self._samples[i] for i in chosen], side, side // STRIDE, generator)


def side_at(step: int, config: TrainingConfig) -> int:
    """Return the side of the training pictures at a step, pixels."""
    reached = 0.0
    for side, share in zip(config.sides, config.shares, strict=True):
        reached += share * config.steps
        if step < reached:
            return side
    return config.sides[-1]


def loss(
    raw: Float[Tensor, "batch channel grid grid"], batch: Batch, codebook: Codebook
) -> Float[Tensor, ""]:
    """Average 1 - cosine over cells, plus cross-entropy to the soft anchor assignment."""
    predicted, wanted, on_object = [], [], []
    cells = raw.flatten(2).transpose(1, 2)  # (batch, cell, channel)
    for cell, name, local, category in zip(
        cells, batch.name.flatten(1), batch.local.flatten(1, 2), batch.categories, strict=True
    ):
        keep = _some(name >= 0, _CELLS), _some(name == BACKGROUND, _CELLS // 2)
        rows = torch.cat(keep)
        predicted.append(cell[rows.to(cell.device)])
        wanted.append(codebook.embed(category, name[rows], local[rows]))
        on_object.append(name[rows] >= 0)
    f = functional.normalize(torch.cat(predicted).float(), dim=-1)
    t, inside = torch.cat(wanted).to(raw.device), torch.cat(on_object).to(raw.device)
    weight = torch.where(inside, 1.0, _BACKGROUND_WEIGHT)
    per_cell = 1 - (f * t).sum(-1) + _ANCHOR_WEIGHT * _anchor_loss(f, t, codebook.anchors.to(raw.device))
    return (weight * per_cell).sum() / weight.sum().clamp_min(1)


def _some(wanted: Tensor, count: int) -> Tensor:
    """List indices of True, evenly thinned to at most `count`."""
    rows = wanted.nonzero()[:, 0]
    if len(rows) <= count:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, count).long()]


def _anchor_loss(f: Tensor, t: Tensor, anchors: Tensor) -> Tensor:
    goal = functional.softmax(_SHARPNESS * t @ anchors.T, dim=-1)
    return -(goal * functional.log_softmax(_SHARPNESS * f @ anchors.T, dim=-1)).sum(-1)


def _start(config: TrainingConfig) -> _State:
    if len(config.sides) != len(config.shares) or any(side % 16 or side < 64 for side in config.sides):
        raise ValueError(f"sides must be multiples of 16, at least 64, with one share each: {config.sides}")
    # Layer initialization takes only the global generator; it is restored afterwards.
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = TinyNetwork()
    network = network.to(config.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = TinyNetwork().to(config.device)
    average.load_state_dict(network.state_dict())
    return _State(network.train(), average, _optimizers(network, config))


def _optimizers(network: TinyNetwork, config: TrainingConfig) -> tuple[torch.optim.Optimizer, ...]:
    """Make Muon for the matrices between hidden layers, AdamW for the first and last layer and vectors."""
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in network.named_parameters():
        inner = parameter.ndim >= 2 and parameter.shape[1] > 3 and not name.startswith("head")
        (matrices if inner else rest).append(parameter)
    muon = Muon(matrices, config.learning_rate, config.weight_decay)
    adam = torch.optim.AdamW(rest, config.vector_learning_rate, weight_decay=config.weight_decay)
    for optimizer in (muon, adam):
        optimizer.param_groups[0]["highest"] = optimizer.param_groups[0]["lr"]
    return muon, adam


def _one_step(state: _State, batch: Batch, codebook: Codebook, config: TrainingConfig) -> float:
    images = batch.images.to(config.device, memory_format=torch.channels_last)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * _pace(state.step, config)
    kind = torch.device(config.device).type
    with torch.autocast(kind, torch.bfloat16, enabled=config.bfloat16):
        raw = state.network(images)
    value = loss(raw, batch, codebook)
    state.network.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    for optimizer in state.optimizers:
        optimizer.step()
    state.step += 1
    _average(state)
    return float(value.detach())


def _pace(step: int, config: TrainingConfig) -> float:
    """Schedule the share of the highest learning rate: a linear warm-up, then half a cosine."""
    warm = max(1.0, config.warm_up * config.steps)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1.0, config.steps - warm)
    return 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def _average(state: _State) -> None:
    share = 1 - min(_AVERAGING, (1 + state.step) / (10 + state.step))
    for kept, new in zip(
        state.average.state_dict().values(), state.network.state_dict().values(), strict=True
    ):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, share)
        else:
            kept.copy_(new)


def _save(state: _State, config: TrainingConfig, path: Path) -> None:
    tensors = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in state.average.state_dict().items()}
    for name, parameter in state.network.named_parameters():
        for optimizer in state.optimizers:
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
    write_tensors(path, tensors, {"step": state.step, "config": _identity(config)})


def _restore(state: _State, config: TrainingConfig, path: Path) -> None:
    tensors, header = read_tensors(path, config.device)
    if header.get("config") != _identity(config):
        raise ValueError(
            f"{path} belongs to another configuration: {header.get('config')}; delete it to start over"
        )
    state.step = int(header["step"])
    for prefix, network in (("network.", state.network), ("average.", state.average)):
        network.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
    for optimizer in state.optimizers:
        known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for name, parameter in state.network.named_parameters():
            kept = {key: tensors.get(f"optimizer.{key}.{name}") for key in _OPTIMIZER_STATE}
            if id(parameter) in known:
                optimizer.state[parameter] = {k: v for k, v in kept.items() if v is not None}


def _identity(config: TrainingConfig) -> dict[str, object]:
    """List what must agree for a run to go on.

    All but where it runs, how long, at which sizes. As in JSON.
    """
    elsewhere = ("device", "workers", "steps", "sides", "shares")
    values = {key: value for key, value in dataclasses.asdict(config).items() if key not in elsewhere}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
