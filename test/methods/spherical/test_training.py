"""A mapper learns which side is which in a world of balls; a run that is stopped goes on the same."""

import math
from dataclasses import replace

import balls
import pytest
import torch
from torch.nn.functional import normalize

from semcorr_ros.features._sphere_mapper import map_sphere
from semcorr_ros.geometry.rotations import golden_spiral
from semcorr_ros.methods.spherical.config import MatchConfig, head_for
from semcorr_ros.methods.spherical.training import trainer, views
from semcorr_ros.methods.spherical.training.summary import summarize
from semcorr_ros.methods.spherical.training.trainer import TrainConfig, train

HOW = views.ViewConfig(crops=1, side=10)
HEAD = head_for(balls.CHANNELS, grid=10)
SHORT = TrainConfig(steps=6, batch=4, save_every=2, report_every=3)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("balls")
    azimuths = torch.linspace(0, 2 * math.pi, 25)[:-1].tolist()
    return [balls.picture(folder, azimuth, HOW) for azimuth in azimuths]


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "checkpoint.safetensors"
    return train(pictures[::2], pictures[1::6], HEAD, TrainConfig(steps=350, batch=8, lr=2e-3), path)


def mapper_of(run):
    return run.networks["sphere_mapper"].requires_grad_(False).eval()


def frame_error(mapper, pictures):
    """Median angle between mapped and true directions after the best rotation, degrees; on the object."""
    mapped, true = [], []
    for picture in pictures:
        azimuth = math.atan2(picture.towards[1], picture.towards[0])
        features, mask, directions = balls.seen_from(azimuth)
        mapped.append(map_sphere(mapper, features)[mask])
        true.append(normalize(directions[mask], dim=-1))
    a, b = torch.cat(mapped), torch.cat(true)
    u, _, v = torch.linalg.svd(b.T @ a)
    rotation = u @ torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(u @ v))])) @ v
    return float(((a @ rotation.T * b).sum(-1).clamp(-1, 1)).acos().rad2deg().median())


def test_sides_come_apart_on_balls_never_seen(trained, pictures):
    assert frame_error(mapper_of(trained), pictures[1::2]) < 25


def test_the_losses_fall_on_what_is_held_out(trained):
    first, last = trained.losses[0], trained.losses[-1]
    for name in ("reconstruction", "viewpoint", "total"):
        assert last[f"held_out_{name}"] < 0.7 * first[f"held_out_{name}"], name


def test_a_keypoint_is_found_where_it_is_and_not_on_the_other_side(trained, pictures):
    category = summarize(balls.INFO, pictures[::2], [], mapper_of(trained), MatchConfig())
    keypoints = category.keypoints
    assert keypoints.annotated.all()
    left, right = keypoints.spheres[1], keypoints.spheres[2]
    assert float(left @ right) < 0, "features are the same, places are not"
    assert float(keypoints.features[1] @ keypoints.features[2]) > 0.9
    assert (keypoints.slope > 0).all()


def test_recognition_knows_the_ball_and_not_its_surroundings(trained, pictures):
    known = summarize(balls.INFO, pictures[::2], [], mapper_of(trained), MatchConfig()).recognized_by
    features, mask, _ = balls.seen_from(0.3)
    likeness = (features.values @ known.features.T).amax(-1)
    assert float(likeness[mask].mean()) > float(likeness[~mask].mean()) + 0.3


def same(first, second):
    a, b = first.networks.state_dict(), second.networks.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_is_the_same_for_a_seed(pictures, tmp_path):
    paths = [tmp_path / f"{i}.safetensors" for i in range(3)]
    seeds = [replace(SHORT, seed=seed) for seed in (0, 0, 1)]
    runs = [train(pictures, [], HEAD, one, path) for one, path in zip(seeds, paths, strict=True)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("stopped_at", [1, 4, 5])
def test_a_run_that_is_stopped_takes_the_same_steps(pictures, tmp_path, stopped_at):
    whole = train(pictures, pictures[:2], HEAD, SHORT, tmp_path / "whole.safetensors")

    def stop(step, loss):
        if step == stopped_at:
            raise KeyboardInterrupt

    path = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(pictures, pictures[:2], HEAD, SHORT, path, stop)
    steps = []
    again = train(pictures, pictures[:2], HEAD, SHORT, path, lambda step, loss: steps.append(step))
    assert steps == list(range(stopped_at + 1, 7))
    assert same(whole, again)
    assert whole.losses == again.losses


def test_a_killed_run_goes_on_from_its_last_checkpoint(pictures, tmp_path):
    """As after kill -9: nothing is written at the end, only on the way."""
    whole = train(pictures, [], HEAD, SHORT, tmp_path / "whole.safetensors")
    path, kept = tmp_path / "killed.safetensors", tmp_path / "kept.safetensors"

    def copy(step, loss):
        if step == 5:  # what was written after step 4
            kept.write_bytes(path.read_bytes())

    train(pictures, [], HEAD, SHORT, path, copy)
    assert same(whole, train(pictures, [], HEAD, SHORT, kept))


def test_a_checkpoint_of_another_run_is_refused(pictures, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    train(pictures, [], HEAD, SHORT, path)
    with pytest.raises(ValueError, match=r"another run: lr was 0\.002 and is 0\.001; delete it"):
        train(pictures, [], HEAD, replace(SHORT, lr=0.001), path)
    with pytest.raises(ValueError, match="another run: pictures"):
        train(pictures[1:], [], HEAD, SHORT, path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors"):
        train(pictures, [], HEAD, SHORT, path)


def test_without_pictures_nothing_is_trained(tmp_path):
    with pytest.raises(ValueError, match="no picture"):
        train([], [], HEAD, SHORT, tmp_path / "c.safetensors")


@pytest.mark.parametrize(("wrong", "said"), [({"hinge": "soft"}, "released, paper"), ({"steps": 0}, "steps")])
def test_wrong_schedules_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(**wrong)


def test_a_mirrored_crop_is_of_the_other_side(pictures):
    quarter = pictures[6]  # azimuth 90 degrees
    plain = trainer._batch([trainer._Crop(quarter, 0, mirrored=False)], "cpu")
    mirrored = trainer._batch([trainer._Crop(quarter, 0, mirrored=True)], "cpu")
    torch.testing.assert_close(mirrored.tokens, plain.tokens.flip(2))
    torch.testing.assert_close(mirrored.towards, plain.towards * torch.tensor([1.0, -1.0, 1.0]))
    other = trainer._batch([trainer._Crop(pictures[18], 0, mirrored=False)], "cpu")
    torch.testing.assert_close(mirrored.tokens, other.tokens, atol=2e-3, rtol=0)  # it is that of 270 degrees
    torch.testing.assert_close(mirrored.towards, other.towards, atol=1e-5, rtol=0)


def test_only_classes_that_are_their_mirror_image_are_mirrored(pictures):
    draws = torch.Generator().manual_seed(0)
    fixed = [replace(picture, mirrors=False) for picture in pictures[1:3]]
    batch = trainer.draw(fixed, 40, draws, "cpu", mirror=True)
    shown = {tuple(round(v, 4) for v in row) for row in batch.towards.tolist()}
    assert len(shown) == 2
    batch = trainer.draw(pictures[1:3], 40, draws, "cpu", mirror=True)
    assert len({tuple(round(v, 4) for v in row) for row in batch.towards.tolist()}) == 4


def test_no_category_is_forgotten(pictures):
    several = [replace(picture, category=i % 5) for i, picture in enumerate(pictures)]
    drawn = set()
    for step in range(40):
        draws = torch.Generator().manual_seed(step)
        drawn |= set(trainer.draw(several, 8, draws, "cpu").category.tolist())
    assert drawn == set(range(5))


def test_a_loss_that_is_left_out_does_not_count(pictures):
    batch = trainer._batch([trainer._Crop(p, 0, mirrored=False) for p in pictures[:4]], "cpu")
    run = trainer._start(pictures, HEAD, SHORT, "cpu")
    config = replace(SHORT, orientation=0.0, viewpoint=0.0)
    found = trainer.loss(run.networks, batch, config, torch.Generator().manual_seed(0))
    wanted = found["reconstruction"] + 0.3 * found["relative_distance"]
    torch.testing.assert_close(found["total"], wanted)
    assert found["orientation"].item() > 0


def test_places_on_the_sphere_are_even():
    points = golden_spiral(100)
    torch.testing.assert_close(points.norm(dim=-1), torch.ones(100))
    nearest = (points @ points.T - 2 * torch.eye(100)).amax(-1).acos()
    assert float(nearest.max() / nearest.min()) < 1.8
    assert float(points.mean(0).norm()) < 0.02
