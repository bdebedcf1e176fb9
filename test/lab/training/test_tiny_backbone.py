import dataclasses

import pytest
import torch
from lab.training.fabricated import table_sample
from lab.training.test_tiny_targets import fabricated_codebook

from semcorr_lab.training import tiny_backbone
from semcorr_lab.training.tiny_augment import Batch, make_batch
from semcorr_lab.training.tiny_backbone import TrainingConfig, loss, train
from semcorr_lab.training.tiny_targets import fit_codebook
from semcorr_ros.features._tiny_network import CHANNELS

TINY = TrainingConfig(steps=4, batch=2, sides=(64,), shares=(1.0,), bfloat16=False, warm_up=0.0)


@pytest.fixture(scope="module")
def codebook():
    small = fabricated_codebook(("table",))
    mean, code = small.codes["table"].mean, small.codes["table"]
    surface = (code.landmark_name, (code.landmark_point - mean.center[code.landmark_name]) / 0.3)
    generator = torch.Generator().manual_seed(0)
    return fit_codebook({"table": mean}, {"table": surface}, CHANNELS, generator)


def _perfect(batch, codebook):
    cells = [
        codebook.embed(c, name.flatten().clamp_min(-1), local.reshape(-1, 3))
        for c, name, local in zip(batch.categories, batch.name, batch.local, strict=True)
    ]
    return torch.stack(cells).unflatten(1, batch.name.shape[1:]).permute(0, 3, 1, 2)


def test_loss_is_least_for_the_targets(codebook):
    batch = make_batch([table_sample(0), table_sample(1)], 128, 16, torch.Generator().manual_seed(0))
    best = loss(_perfect(batch, codebook), batch, codebook)
    noise = torch.randn(2, CHANNELS, 16, 16, generator=torch.Generator().manual_seed(1))
    assert best < loss(noise, batch, codebook) - 0.5


def test_loss_without_any_object_is_finite(codebook):
    name = torch.full((1, 8, 8), -1)
    batch = Batch(torch.zeros(1, 3, 64, 64), name, torch.zeros(1, 8, 8, 3), ("table",))
    assert torch.isfinite(loss(torch.ones(1, CHANNELS, 8, 8), batch, codebook))


def test_steps_on_one_batch_reduce_its_loss(codebook):
    state = tiny_backbone._start(TINY)
    batch = make_batch([table_sample(0), table_sample(1)], 64, 16, torch.Generator().manual_seed(0))
    losses = [tiny_backbone._one_step(state, batch, codebook, TINY) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]


def test_resumed_run_equals_an_uninterrupted_one(codebook, tmp_path):
    samples = [table_sample(i) for i in range(3)]
    whole = train(samples, codebook, TINY, tmp_path / "whole.safetensors")

    def stop(step, _):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(samples, codebook, TINY, tmp_path / "parts.safetensors", stop)
    steps = []
    resumed = train(samples, codebook, TINY, tmp_path / "parts.safetensors", lambda s, _: steps.append(s))
    assert steps == [3, 4]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_finished_run_goes_on_when_asked_for_more_steps(codebook, tmp_path):
    checkpoint, steps = tmp_path / "c.safetensors", []
    train([table_sample(0)], codebook, dataclasses.replace(TINY, steps=2), checkpoint)
    train([table_sample(0)], codebook, TINY, checkpoint, lambda step, _: steps.append(step))
    assert steps == [3, 4]


def test_foreign_checkpoint_and_bad_sizes_are_refused(codebook, tmp_path):
    checkpoint = tmp_path / "c.safetensors"
    train([table_sample(0)], codebook, dataclasses.replace(TINY, steps=1, seed=1), checkpoint)
    with pytest.raises(ValueError, match="another configuration"):
        train([table_sample(0)], codebook, TINY, checkpoint)
    with pytest.raises(ValueError, match="multiples of 16"):
        train(
            [table_sample(0)], codebook, dataclasses.replace(TINY, sides=(100,)), tmp_path / "d.safetensors"
        )
    with pytest.raises(ValueError, match="no training samples"):
        train([], codebook, TINY, tmp_path / "e.safetensors")


def test_learning_rate_warms_up_and_falls_to_zero():
    config = dataclasses.replace(TINY, steps=100, warm_up=0.05)
    rates = [tiny_backbone._pace(step, config) for step in range(101)]
    assert rates[0] < rates[3] < rates[5] == max(rates)
    assert rates[100] == pytest.approx(0, abs=1e-9)
