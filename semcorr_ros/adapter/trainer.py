"""Trains an adapter on labelled pairs, whoever labelled them: AdamW, one cycle, the best of what is held out.

Every step draws its pair, points, dropout and noise from (seed, step) alone, so that a run that was killed
takes the same steps.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from semcorr_ros.adapter.config import Material, TrainConfig
from semcorr_ros.adapter.pair_loss import Pair, pair_loss, pck
from semcorr_ros.adapter.sampling import Draw, draw_pairs, held_out_pair
from semcorr_ros.checkpoint import Run, restore, save, uninterrupted
from semcorr_ros.features._adapter_network import HeadConfig
from semcorr_ros.features._aggregation import AggregationNetwork

LATEST, BEST = "adapter", "best"
UNMOVED = ("self_logit_scale",)  # published files have it, no loss reads it
CHECKED = 200  # held-out pairs per check, at most


def train(
    material: Material,
    head: HeadConfig,
    config: TrainConfig,
    checkpoint: Path,
    on_step: Callable[[int, float], object] = lambda step, loss: None,
    device: str = "cpu",
) -> Run:
    """Train, or go on from `checkpoint`, which is written on the way and at every end.

    Raises ValueError without matches, or for a checkpoint of another run.
    """
    if not any(not one.mirrored for one in material.matches):
        raise ValueError("no pair to learn from")
    run = _start(head, config, device)
    identity = _identity(material, head, config)
    restore(run, checkpoint, identity)
    cycle = _cycle(run, config)
    try:
        while run.step < config.steps:
            draws = draw_pairs(material, config, run.step)
            with uninterrupted():
                value = _one_step(run, material, draws, config, device)
                cycle.step()
                if run.step % config.check_every == 0 or run.step == config.steps:
                    _check(run, material, config, value, device)
            on_step(run.step, value["total"])
            if run.step % config.save_every == 0:
                save(run, checkpoint, identity)
    finally:
        save(run, checkpoint, identity)
    return run


def chosen(run: Run) -> AggregationNetwork:
    """Return the network that was best on what is held out; the last one where nothing is."""
    found = run.networks[BEST]
    assert isinstance(found, AggregationNetwork)
    return found.cpu().eval().requires_grad_(False)


def best_step(run: Run, select: str) -> float:
    """Return the step of the network that `chosen` returns."""
    if not any("held_out_pck" in row for row in run.losses):
        return run.losses[-1]["step"]
    return max(run.losses, key=lambda row: _rank(row, select))["step"]


def _start(head: HeadConfig, config: TrainConfig, device: str) -> Run:
    with torch.random.fork_rng():  # layers are initialized by the global generator
        torch.manual_seed(config.seed)
        network = AggregationNetwork(head.sources, head.width, head.narrow)
    best = copy.deepcopy(network).requires_grad_(False)
    networks = nn.ModuleDict({LATEST: network, BEST: best}).to(device)
    trained = networks[LATEST].parameters()
    optimizer = torch.optim.AdamW(trained, config.lr, weight_decay=config.weight_decay)
    return Run(networks, optimizer, unmoved=UNMOVED)


def _cycle(run: Run, config: TrainConfig) -> torch.optim.lr_scheduler.OneCycleLR:
    """Make the schedule, and set the optimizer to the run's step."""
    found = torch.optim.lr_scheduler.OneCycleLR(
        run.optimizer, config.lr, total_steps=config.steps + 1, pct_start=config.rising
    )
    if run.step:
        found.load_state_dict({"last_epoch": run.step - 1, "_step_count": run.step + 1})
        found.step()
    return found


def _one_step(
    run: Run, material: Material, draws: Sequence[Draw], config: TrainConfig, device: str
) -> dict[str, float]:
    network = run.networks[LATEST].train()
    run.optimizer.zero_grad(set_to_none=True)
    sums: dict[str, float] = {}
    for draw in draws:
        found = pair_loss(network, draw.pair(material.pictures, device), config, draw.generator)
        (draw.weight * found["total"]).backward()
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + draw.weight * float(value.detach())
    run.optimizer.step()
    run.step += 1
    return sums


@torch.no_grad()
def _check(run: Run, material: Material, config: TrainConfig, value: dict[str, float], device: str) -> None:
    """Look at what is held out; keep the network where it is the best so far."""
    row = {"step": float(run.step), **value}
    if material.held_out:
        row |= _held_out(run.networks[LATEST], material, config, device)
    before = [_rank(one, config.select) for one in run.losses]
    if not material.held_out or not before or _rank(row, config.select) > max(before):
        run.networks[BEST].load_state_dict(run.networks[LATEST].state_dict())
    run.losses.append(row)


def _rank(row: dict[str, float], select: str) -> tuple[float, float]:
    by_loss = -row.get("held_out_total", row["total"])
    return (row.get("held_out_pck", 0.0) if select == "pck" else 0.0, by_loss)


def _held_out(network: nn.Module, material: Material, config: TrainConfig, device: str) -> dict[str, float]:
    rows = material.held_out[:: -(-len(material.held_out) // CHECKED)]
    sums: dict[str, float] = {}
    for matches in rows:
        pair: Pair = held_out_pair(matches, config.points).pair(material.pictures, device)
        found = {name: float(one) for name, one in pair_loss(network.eval(), pair, config, None).items()}
        for name, one in (found | {"pck": pck(network, pair)}).items():
            sums[name] = sums.get(name, 0.0) + one / len(rows)
    return {f"held_out_{name}": value for name, value in sums.items()}


def _identity(material: Material, head: HeadConfig, config: TrainConfig) -> dict[str, object]:
    """List what must agree for a run to go on: all but how often it saves."""
    kept = {key: value for key, value in asdict(config).items() if key != "save_every"}
    shown = [(one.sample.category, one.sample.name, one.digest) for one in material.pictures]
    found = hashlib.sha256(repr(shown).encode())
    for matches in (*material.matches, *material.held_out):
        found.update(f"{matches.source} {matches.target} {matches.mirrored}".encode())
        points: Tensor = torch.cat([matches.source_points, matches.target_points])
        found.update(points.float().numpy().tobytes())
    sizes = {"sources": list(head.sources), "width": head.width, "narrow": head.narrow}
    return {**kept, **sizes, "labels": found.hexdigest()[:12]}
