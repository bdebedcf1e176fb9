"""The stages of the build on fixed views, number by number (see pinned.py)."""

from __future__ import annotations

from dataclasses import replace

import builders
import pinned
import pytest
import torch
from beast_views import mean_keypoints, views_of

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.geometry.rotations import super_fibonacci
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building import (
    beta_statistics,
    combinations,
    flip_check,
    procrustes,
    shape_modes,
    swapped_sides,
)
from semcorr_ros.methods.semalign3d.building import sparse_cloud as clouds
from semcorr_ros.methods.semalign3d.building.barycentric import affine_weights, hull_distance
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.dense_cloud import (
    MergedCloud,
    carry_surface,
    cluster_surface,
    express_by_keypoints,
)
from semcorr_ros.methods.semalign3d.building.evidence import observe
from semcorr_ros.methods.semalign3d.building.focal_lengths import focal_lengths
from semcorr_ros.methods.semalign3d.building.gauge import canonical_gauge
from semcorr_ros.methods.semalign3d.building.keypoint_depth import keypoint_depths, usable_pixels
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances, signed_volumes
from semcorr_ros.methods.semalign3d.building.refine_shape import log_likelihood, refine_shape

CONFIG = BuildConfig()


def seeded():
    return torch.Generator().manual_seed(0)


def wave(*shape, phase=0.0):
    """Deviations without a generator: between -1 and 1, no two alike."""
    count = 1
    for side in shape:
        count *= side
    return torch.sin(torch.arange(count) * 2.399 + phase + 0.01 * torch.arange(count) ** 1.5).reshape(shape)


@pytest.fixture(scope="module")
def views():
    """Twelve views: shapes that vary, noise, one wrong depth, one view whose sides are exchanged."""
    pictures = builders.pictures(12, seed=3, variation=0.12)
    exact = views_of(pictures)
    points = exact.points * (1 + 0.03 * wave(*exact.points.shape))
    points[2, 0] *= 1.6
    order = torch.tensor(builders.FLIP)
    points[5], visible = points[5, order], exact.visible.clone()
    visible[5] = visible[5, order]
    return Views(torch.where(visible[..., None], points, 0.0), visible, exact.mirrored, exact.names)


@pytest.fixture(scope="module")
def mended(views):
    return swapped_sides.exchange_sides(views, torch.arange(12) == 5, builders.FLIP)


def canonical(views):
    aligned = procrustes.align_views(views.points, views.visible.float(), mean_keypoints())
    weight = views.visible * (0.4 + 0.6 * wave(*views.visible.shape).abs())
    return aligned.points, weight


def test_distances_and_volumes(views):
    distances = log_distances(views)
    mean, spread, count = signed_volumes(views, torch.combinations(torch.arange(11), 4)[::5])
    pinned.check(
        "distances",
        {"mean": distances.mean, "spread": distances.spread, "count": distances.count}
        | {"volume": mean, "volume spread": spread, "volume count": count},
    )


def test_procrustes(views, mended):
    start, placed = mean_keypoints() + 0.2 * wave(11, 3), torch.ones(11, dtype=torch.bool)
    placed[[4, 9]] = False
    shape, known, cost = procrustes.generalized_procrustes(mended, start, placed)
    found, _, residual = procrustes.mean_shape(mended, log_distances(mended))
    aligned = procrustes.align_views(views.points, canonical(views)[1], mean_keypoints())
    pinned.check(
        "procrustes",
        {"shape": shape, "known": known, "cost": cost, "distances": torch.cdist(found, found)}
        | {"residual": residual, "scale": aligned.scale, "rotation": aligned.rotation}
        | {"points": aligned.points, "usable": aligned.usable},
    )


def test_shape_model(mended):
    both = add_mirrored(mended, builders.FLIP)
    model = shape_modes.shape_model(
        both, procrustes.normalize_shape(mean_keypoints(), torch.ones(11).bool()), 3
    )
    gram = model.modes.flatten(1) @ model.modes.flatten(1).T
    pinned.check(
        "shape_model",
        {"mean": model.mean, "sizes": gram.diagonal(), "noise": model.noise, "places": model.completed}
        | {"scale": model.aligned.scale, "spread": model.modes.square().sum(0)},
        rel=3e-3,
    )


def test_sparse_cloud(mended):
    both = add_mirrored(mended, builders.FLIP)
    cloud = clouds.sparse_cloud(both, builders.BEAST, True, replace(CONFIG, shape_modes=3))
    pinned.check(
        "sparse_cloud",
        {"points": cloud.points, "weight": cloud.weight, "disagrees": cloud.disagrees}
        | {"residual": cloud.residual, "rotation": cloud.aligned.rotation, "scale": cloud.aligned.scale},
        rel=3e-3,
    )
    limits = [clouds._limit(torch.tensor(misfits)) for misfits in ([0.1] * 5, [0.1, 0.3, 0.2, 0.35, 0.9], [])]
    assert limits == pytest.approx([0.5, 0.3 + 4 * 1.48 * 0.1, 1.05])


def test_swapped_sides_and_the_flip_table(views, mended):
    found = swapped_sides.swapped_sides(views, builders.FLIP)
    assert found.nonzero()[:, 0].tolist() == [5]
    check = flip_check.check_flip(mended, builders.FLIP, seeded())
    wrong = flip_check.check_flip(mended, (0, 1, 2, 5, 6, 3, 4, 8, 7, 10, 9), seeded())
    scores = torch.tensor(
        [check.distance_score, check.volume_score, wrong.distance_score, wrong.volume_score]
    )
    pinned.check("flip", {"scores": scores})


def test_beta_statistics(views):
    points, weight = canonical(views)
    config = replace(CONFIG, max_combinations=300, min_views=4)
    found = beta_statistics.beta_statistics(points, weight, 2, config, seeded())
    few = beta_statistics.beta_statistics(points[:, :6], weight[:, :6], 1, CONFIG, seeded())
    pinned.check(
        "beta_statistics",
        {
            f"{name} {part}": getattr(getattr(which, family), part)
            for name, which in (("chosen", found), ("all", few))
            for family in ("edge_pairs", "frames")
            for part in ("indices", "alpha", "beta")
        },
    )


def test_combinations_are_chosen_by_spread_and_by_turns():
    rows = combinations.all_edge_pairs(7)
    spread = 1 + wave(len(rows))
    chosen = [combinations.select_informative(rows, spread, budget, 7) for budget in (20, 60, 150)]
    pinned.check(
        "combinations", {str(len(each)): each for each in chosen} | {"frames": combinations.all_frames(6)}
    )
    for each in chosen:
        assert torch.equal(each, each.sort().values)
        assert len(each.unique()) == len(each)


def test_refinement(views):
    points, weight = canonical(views)
    statistics = beta_statistics.beta_statistics(
        points, weight, 1, replace(CONFIG, max_combinations=200), seeded()
    )
    placed = torch.ones(11, dtype=torch.bool)
    start = procrustes.normalize_shape(mean_keypoints() + 0.1 * wave(11, 3), placed)
    refined = refine_shape(start, placed, statistics, 60)
    family = statistics.frames
    values = 0.5 + 0.6 * wave(len(family.indices), 3)  # some outside of [0, 1]
    pinned.check("refinement", {"shape": refined, "likelihood": log_likelihood(family, values)}, rel=3e-3)


def test_gauge():
    shape = mean_keypoints() - mean_keypoints().mean(0) + 0.05 * wave(11, 3)
    turn = super_fibonacci(64)[17]
    cameras = torch.stack(
        [builders.look_at(a, e) for a, e in ((0.3, 0.4), (1.9, 0.1), (3.1, -0.2), (4.6, 0.9))]
    )
    nameless = replace(builders.BEAST, keypoint_names=tuple("abcdefghijk"))
    sideless = tuple(
        name.replace("left", "one").replace("right", "other") for name, _, _ in builders.KEYPOINTS
    )
    infos = {
        "names": (builders.BEAST, True),
        "front": (replace(builders.BEAST, keypoint_names=sideless), True),
        "cameras": (nameless, True),
        "no flip": (replace(builders.BEAST, flip=None), False),
        "no flip, nameless": (replace(nameless, flip=None), False),
        "flat": (replace(builders.BEAST, flat=True), True),
        "flat, no flip": (replace(nameless, flip=None, flat=True), False),
    }
    found = {name: canonical_gauge(shape @ turn.T, cameras @ turn.T, *how) for name, how in infos.items()}
    assert {each.front_from for each in found.values()} == {"names", "cameras"}
    pinned.check("gauge", {name: each.rotation @ turn for name, each in found.items()})
    plane = shape * torch.tensor([1.0, 0.0, 1.0])
    info = CategoryInfo("leaf", tuple("abcdefghijk"), tuple(range(11)))
    assert canonical_gauge(plane, cameras, info, True).rotation[1].abs().tolist() == pytest.approx(
        [0, 1, 0], abs=1e-4
    )


def test_focal_lengths():
    pictures = builders.pictures(8, seed=1, known_camera=False)
    evidence = [observe(each.sample, CONFIG, seeded()) for each in pictures]
    config = replace(CONFIG, focal_combinations=400)
    found = {str(flip): focal_lengths(evidence, flip, config, seeded()) for flip in (None, builders.FLIP)}
    pinned.check("focal_lengths", found, rel=5e-3)


def test_depths_of_keypoints():
    """Two slanted surfaces with a step and holes; keypoints inside, on the step, beside the mask, outside."""
    rows, columns = torch.meshgrid(torch.arange(120.0), torch.arange(160.0), indexing="ij")
    depth = torch.where(columns < 80, 2 + 0.004 * columns + 0.002 * rows, 1.4 + 0.001 * rows)
    depth[50:56, 30:33], depth[70, ::7] = 0.0, torch.nan
    depth = depth + 0.01 * wave(120, 160)
    mask = (rows - 60) ** 2 / 50**2 + (columns - 80) ** 2 / 70**2 < 1
    usable = usable_pixels(depth, mask)
    grid = torch.stack(
        torch.meshgrid(torch.arange(5.0, 160, 9), torch.arange(4.0, 120, 8), indexing="xy"), -1
    )
    points = torch.cat([grid.reshape(-1, 2), torch.tensor([[79.4, 50], [80.2, 61], [81.7, 30]])])
    found = {f"window {w}": keypoint_depths(depth, usable, points, replace(CONFIG, depth_window=w))
             for w in (0.005, 0.03)}  # fmt: skip
    large = torch.ones(900, 1000)
    thick = usable_pixels(large, torch.nn.functional.pad(torch.ones(880, 980), (10, 10, 10, 10)).bool())
    pinned.check("keypoint_depths", found | {"usable": usable, "thick": thick.sum().float()})


def test_clouds():
    anchors = mean_keypoints() + 0.1 * wave(11, 3)
    points = 0.9 * wave(400, 3)
    carried, inside = carry_surface(points, anchors, mean_keypoints(), 0.3)
    merged = MergedCloud(
        points, torch.zeros(400, 1, 2).half(), torch.zeros(400, 3), (torch.arange(400) % 9).float()
    )
    centers, share = cluster_surface(merged, BuildConfig(dense_points=40, density_threshold=0.8), seeded())
    placed = torch.arange(11) != 3
    pinned.check(
        "clouds",
        {"carried": carried, "inside": inside, "hull": hull_distance(points, anchors)}
        | {"weights": affine_weights(points[:50], anchors.expand(50, -1, -1)), "centers": centers}
        | {"share": share, "hangs on": express_by_keypoints(centers, anchors, placed)},
    )
