"""An adapter learns which side is which; a run that is stopped goes on the same."""

from dataclasses import replace

import ball_pictures
import pytest
import torch

from semcorr_ros.adapter import trainer
from semcorr_ros.adapter.config import Material, TrainConfig
from semcorr_ros.adapter.pair_loss import pair_loss, pck
from semcorr_ros.adapter.sampling import Draw, draw_pairs, held_out_pair
from semcorr_ros.adapter.trainer import BEST, LATEST, best_step, chosen, train
from semcorr_ros.features._adapter_network import HeadConfig
from semcorr_ros.geometry import grid

HEAD = HeadConfig((32,), 32, 32)
SHORT = TrainConfig(steps=6, check_every=2, save_every=2, points=20)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return ball_pictures.material(tmp_path_factory.mktemp("maps"), ball_pictures.turns(9))


@pytest.fixture(scope="module")
def trained(material, tmp_path_factory):
    config = TrainConfig(steps=60, check_every=30, lr=5e-3)
    return train(material, HEAD, config, tmp_path_factory.mktemp("run") / "checkpoint.safetensors")


def test_sides_come_apart_on_pictures_that_nothing_was_learned_from(trained, material):
    best = max(row["held_out_pck"] for row in trained.losses)
    assert best > 0.85
    assert best > raw_pck(material) + 0.2
    assert trained.losses[-1]["held_out_total"] < trained.losses[0]["held_out_total"]


def raw_pck(material):
    """Of the features that are adapted."""
    found = []
    for one in material.held_out:
        pair = held_out_pair(one, 50).pair(material.pictures, "cpu")
        here = grid.features_at(pair.source, pair.source_points)
        best = torch.einsum("pc,hwc->phw", here, pair.target.values).flatten(1).argmax(-1)
        away = grid.centers(pair.target).reshape(-1, 2)[best] - pair.target_points
        found.append((away.norm(dim=-1) < 0.1 * pair.side).float().mean())
    return float(torch.stack(found).mean())


def test_the_network_that_is_kept_is_the_best_on_what_is_held_out(trained, material):
    step = best_step(trained, "pck")
    wanted = next(row["held_out_pck"] for row in trained.losses if row["step"] == step)
    assert wanted == max(row["held_out_pck"] for row in trained.losses)
    pairs = [held_out_pair(one, 50).pair(material.pictures, "cpu") for one in material.held_out]
    found = sum(pck(chosen(trained), pair) for pair in pairs) / len(pairs)
    assert found == pytest.approx(wanted, abs=1e-6)


def test_the_temperature_is_learned_and_the_unused_one_is_not(trained):
    network = trained.networks[LATEST]
    assert abs(network.logit_scale.item() - 2.659) > 0.01
    assert network.self_logit_scale.item() == pytest.approx(2.302585, abs=1e-5)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_a_killed_run_goes_on_from_its_last_checkpoint(material, tmp_path):
    whole = train(material, HEAD, SHORT, tmp_path / "whole.safetensors")
    path = tmp_path / "killed.safetensors"

    class KilledError(Exception):
        pass

    def stop(step, loss):
        if step == 4:
            kept.append(path.read_bytes())  # of step 2: that of 4 is written after this
            raise KilledError

    kept = []
    with pytest.raises(KilledError):
        train(material, HEAD, SHORT, path, stop)
    path.write_bytes(kept[0])  # as kill -9 would have left it
    resumed = train(material, HEAD, SHORT, path)
    assert same(whole.networks.state_dict(), resumed.networks.state_dict())
    assert whole.losses == resumed.losses
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_the_rate_rises_and_falls_in_one_cycle_also_after_a_stop(material, tmp_path):
    rates = []

    def watch(step, loss):
        rates.append(step)

    run = train(material, HEAD, SHORT, tmp_path / "a.safetensors", watch)
    assert rates == [1, 2, 3, 4, 5, 6]
    cycle = trainer._cycle(replace(run, step=3), SHORT)
    wanted = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.AdamW([torch.zeros(1, requires_grad=True)]), SHORT.lr, total_steps=7, pct_start=0.3
    )
    for _ in range(3):
        wanted.optimizer.step()
        wanted.step()
    assert cycle.optimizer.param_groups[0]["lr"] == pytest.approx(wanted.get_last_lr()[0], rel=1e-6)
    assert cycle.optimizer.param_groups[0]["betas"] == wanted.optimizer.param_groups[0]["betas"]


def test_a_checkpoint_of_another_run_is_refused(material, tmp_path):
    train(material, HEAD, SHORT, tmp_path / "c.safetensors")
    for name, value in {"lr": 1e-3, "seed": 3, "dropout": 0.1}.items():
        with pytest.raises(ValueError, match=f"another run: {name} was"):
            train(material, HEAD, replace(SHORT, **{name: value}), tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="another run: labels was"):
        train(ball_pictures.without(material, 3), HEAD, SHORT, tmp_path / "c.safetensors")


def test_without_held_out_pairs_the_last_network_is_kept(material, tmp_path):
    run = train(replace(material, held_out=[]), HEAD, SHORT, tmp_path / "c.safetensors")
    assert best_step(run, "pck") == 6
    latest = run.networks[LATEST].state_dict()
    assert same(latest, run.networks[BEST].state_dict())


def test_nothing_to_learn_from_is_said(material, tmp_path):
    with pytest.raises(ValueError, match="no pair"):
        train(Material(material.pictures, [], []), HEAD, SHORT, tmp_path / "c.safetensors")


def test_a_step_is_drawn_from_its_number_alone(material):
    config = TrainConfig(seed=5)
    first, again, other = (draw_pairs(material, config, step) for step in (7, 7, 8))
    assert (first[0].matches.source, first[0].crops) == (again[0].matches.source, again[0].crops)
    points = [one[0].pair(material.pictures, "cpu").source_points for one in (first, again, other)]
    assert torch.equal(points[0], points[1])
    assert points[0].shape != points[2].shape or not torch.equal(points[0], points[2])


def test_weights_of_the_terms_are_a_mean(material):
    mirrored = [replace(one, mirrors=True) for one in material.pictures]
    flips = [replace(material.matches[0], target=material.matches[0].source, mirrored=True)]
    found = Material(mirrored, [*material.matches, *flips], [])
    draws = draw_pairs(found, TrainConfig(double_flip=1.0, self_flip=0.25, batch=2), 0)
    assert [one.weight for one in draws] == pytest.approx([w / 4.5 for w in (1, 1, 0.25)] * 2)
    assert [one.flipped for one in draws] == [False, True, False] * 2
    assert [one.matches.mirrored for one in draws] == [False, False, True] * 2


def test_noise_and_dropout_only_while_learning(material):
    network = trainer._start(HEAD, SHORT, "cpu").networks[LATEST]
    draw = Draw(material.matches[0], (0, 0), 20)
    pair = draw.pair(material.pictures, "cpu")
    quiet = [pair_loss(network, pair, SHORT, None)["total"].item() for _ in range(2)]
    assert quiet[0] == quiet[1]
    loud = pair_loss(network, pair, SHORT, torch.Generator().manual_seed(0))["total"].item()
    assert loud != quiet[0]
