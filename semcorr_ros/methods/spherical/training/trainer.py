"""Trains mapper and prototypes together (Section 3.3): Adam on the four losses.

Every step draws its batch from (seed, step) alone, so that a run that was killed takes the same steps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from semcorr_ros.checkpoint import Run, restore, save, uninterrupted
from semcorr_ros.features._sphere_mapper import HeadConfig, SphereMapper, as_input
from semcorr_ros.methods.spherical import losses
from semcorr_ros.methods.spherical.prototypes import SpherePrototypes
from semcorr_ros.methods.spherical.training.views import Picture, read_crop

LONGEST_STEP = 1.0  # length of a gradient: at twice the published rate a few would throw it off
TOGETHER = 2  # categories in a batch: viewpoints are compared in pairs, and those within one say more
# Of these the loss has no gradient (SharedAttention).
UNMOVED = ("attn.q.weight", "attn.k.weight", "norm1.weight", "norm1.bias")
PER_PICTURE = 32  # patches that are reconstructed; neighbours are nearly the same


@dataclass(frozen=True)
class TrainConfig:
    """Schedule and weights; those of the losses are the paper's."""

    steps: int = 3000
    batch: int = 16
    lr: float = 2e-3  # at first; falls as half a cosine. Published: constant, over ten times as many steps
    falling: bool = True
    reconstruction: float = 1.0
    relative_distance: float = 0.3
    orientation: float = 0.3
    viewpoint: float = 0.1
    hinge: str = "released"
    # Half of the crops are mirrored, where the class is its own mirror image, and their viewpoints with them.
    # Published: no. On rendered classes it makes no difference that was measured.
    mirror: bool = True
    seed: int = 0
    save_every: int = 50
    report_every: int = 20  # steps between two rows of the loss curve
    precision: str = "fp32"  # bf16: matrix products in half the digits

    def __post_init__(self) -> None:
        if self.hinge not in losses.HINGES:
            raise ValueError(f"hinge must be one of {', '.join(losses.HINGES)}, got {self.hinge!r}")
        for name in ("steps", "batch", "save_every", "report_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Batch:
    """One crop of several pictures."""

    tokens: Float[Tensor, "picture side side channel"]
    mask: Bool[Tensor, "picture side side"]
    category: Int[Tensor, "picture"]
    towards: Float[Tensor, "picture 3"]  # NaN = unknown


def train(
    pictures: Sequence[Picture],
    held_out: Sequence[Picture],
    head: HeadConfig,
    config: TrainConfig,
    checkpoint: Path,
    on_step: Callable[[int, float], object] = lambda step, loss: None,
    device: str = "cpu",
) -> Run:
    """Train, or go on from `checkpoint`, which is written on the way and at every end.

    Raises ValueError without pictures, or for a checkpoint of another run.
    """
    if not pictures:
        raise ValueError("no picture to learn from")
    run = _start(pictures, head, config, device)
    identity = _identity([*pictures, *held_out], head, config)
    restore(run, checkpoint, identity)
    try:
        while run.step < config.steps:
            batch = draw(pictures, config.batch, _draws(config, run.step), device, config.mirror)
            with uninterrupted():
                value = _one_step(run, batch, config)
                if run.step % config.report_every == 0 or run.step == config.steps:
                    found = _held_out(run, held_out, config, device)
                    run.losses.append({"step": run.step, **value, **found})
            on_step(run.step, value["total"])
            if run.step % config.save_every == 0:
                save(run, checkpoint, identity)
    finally:
        save(run, checkpoint, identity)
    return run


def draw(
    pictures: Sequence[Picture], count: int, draws: torch.Generator, device: str, mirror: bool = False
) -> Batch:
    """Draw crops of pictures of a few categories, in turn so that none is forgotten.

    Raises ValueError for a damaged file.
    """
    by_category: dict[int, list[Picture]] = {}
    for picture in pictures:
        by_category.setdefault(picture.category, []).append(picture)
    order = sorted(by_category)
    first, *rest = torch.randint(1 << 30, (1 + 3 * count,), generator=draws).tolist()
    chosen = []
    for i in range(count):
        among = by_category[order[(first + i % TOGETHER) % len(order)]]
        picture = among[rest[3 * i] % len(among)]
        chosen.append(
            _Crop(picture, rest[3 * i + 1], mirror and picture.mirrors and rest[3 * i + 2] % 2 == 1)
        )
    return _batch(chosen, device)


def loss(
    networks: nn.ModuleDict, batch: Batch, config: TrainConfig, draws: torch.Generator
) -> dict[str, Tensor]:
    """Compute the four losses and their weighted sum, `total`."""
    spheres = networks["sphere_mapper"](as_input(batch.tokens))
    features, rebuilt = _reconstructed(networks["prototypes"], batch, spheres, draws)
    near, turned = (losses.draw_triplets(spheres, batch.mask, draws) for _ in range(2))
    found = {
        "reconstruction": losses.reconstruction(features, rebuilt),
        "relative_distance": losses.relative_distance(near),
        "orientation": losses.orientation(turned, losses.HINGES[config.hinge]),
        "viewpoint": losses.viewpoint(spheres, batch.mask, batch.towards),
    }
    return found | {"total": sum(getattr(config, name) * value for name, value in found.items())}


def _reconstructed(
    prototypes: nn.Module, batch: Batch, spheres: Float[Tensor, "picture side side 3"], draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Reconstruct some patches of every object."""
    order = torch.rand(batch.mask.shape, generator=draws).to(batch.mask.device)
    rank = torch.where(batch.mask, order, 2.0).flatten(1).argsort(1).argsort(1)
    chosen = batch.mask & (rank < PER_PICTURE).reshape(batch.mask.shape)
    category = batch.category[:, None, None].expand(chosen.shape)[chosen]
    return batch.tokens[chosen], prototypes(spheres[chosen], category)


def _start(pictures: Sequence[Picture], head: HeadConfig, config: TrainConfig, device: str) -> Run:
    categories = 1 + max(picture.category for picture in pictures)
    with torch.random.fork_rng():  # layers are initialized by the global generator
        torch.manual_seed(config.seed)
        parts = {
            "sphere_mapper": SphereMapper(head),
            "prototypes": SpherePrototypes(head.channels, categories),
        }
        networks = nn.ModuleDict(parts).to(device)
    return Run(networks, torch.optim.Adam(networks.parameters(), config.lr), unmoved=UNMOVED)


def _one_step(run: Run, batch: Batch, config: TrainConfig) -> dict[str, float]:
    draws = _draws(config, run.step, 1)
    share = 0.5 * (1 + math.cos(math.pi * run.step / config.steps)) if config.falling else 1.0
    for group in run.optimizer.param_groups:
        group["lr"] = config.lr * share
    kind = batch.tokens.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=config.precision == "bf16"):
        found = loss(run.networks, batch, config, draws)
    run.optimizer.zero_grad(set_to_none=True)
    found["total"].backward()
    torch.nn.utils.clip_grad_norm_(run.networks.parameters(), LONGEST_STEP)
    run.optimizer.step()
    run.step += 1
    return {name: float(value.detach()) for name, value in found.items()}


@torch.no_grad()
def _held_out(run: Run, pictures: Sequence[Picture], config: TrainConfig, device: str) -> dict[str, float]:
    """Compute the losses on pictures that nothing is learned from: the same crops every time."""
    if not pictures:
        return {}
    batch = _batch([_Crop(picture, 0, mirrored=False) for picture in pictures], device)
    found = loss(run.networks, batch, config, _draws(config, 0, 2))
    return {f"held_out_{name}": float(value) for name, value in found.items()}


@dataclass(frozen=True)
class _Crop:
    picture: Picture
    which: int
    mirrored: bool

    @property
    def towards(self) -> tuple[float, float, float]:
        """Of the mirrored picture: the camera on the other side."""
        if self.picture.towards is None:
            return (math.nan, math.nan, math.nan)
        x, y, z = self.picture.towards
        return (x, -y, z) if self.mirrored else (x, y, z)


def _batch(chosen: Sequence[_Crop], device: str) -> Batch:
    crops = [read_crop(one.picture, one.which) for one in chosen]
    flips = [one.mirrored for one in chosen]
    tokens = [c.tokens.flip(2) if flip else c.tokens for c, flip in zip(crops, flips, strict=True)]
    masks = [c.mask.flip(2) if flip else c.mask for c, flip in zip(crops, flips, strict=True)]
    return Batch(
        torch.cat(tokens).to(device),
        torch.cat(masks).to(device),
        torch.tensor([one.picture.category for one in chosen], device=device),
        torch.tensor([one.towards for one in chosen], device=device),
    )


def _draws(config: TrainConfig, step: int, stream: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed((config.seed * 1_000_003 + step) * 4 + stream)


def _identity(pictures: Sequence[Picture], head: HeadConfig, config: TrainConfig) -> dict[str, object]:
    """List what must agree for a run to go on: all but how often it reports."""
    free = ("save_every", "report_every")
    kept = {key: value for key, value in asdict(config).items() if key not in free}
    shown = [(p.sample.category, p.sample.name, p.digest, p.towards, p.mirrors) for p in pictures]
    return {**kept, **asdict(head), "pictures": hashlib.sha256(repr(shown).encode()).hexdigest()[:12]}
