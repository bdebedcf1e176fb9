"""The stages of the build on fixed views, number by number (see pinned.py)."""

from __future__ import annotations

from dataclasses import replace

import builders
import pinned
import pytest
import torch
from beast_views import mean_keypoints, views_of

from semcorr_ros import __version__
from semcorr_ros.artifacts import CategoryInfo, FeatureMap
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
from semcorr_ros.methods.semalign3d.building.build import build
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.dense_cloud import (
    MergedCloud,
    carry_surface,
    cluster_surface,
    express_by_keypoints,
)
from semcorr_ros.methods.semalign3d.building.evidence import observe
from semcorr_ros.methods.semalign3d.building.focal_lengths import focal_lengths
from semcorr_ros.methods.semalign3d.building.gather_evidence import gather_evidence
from semcorr_ros.methods.semalign3d.building.gauge import canonical_gauge
from semcorr_ros.methods.semalign3d.building.keypoint_depth import keypoint_depths, usable_pixels
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances, signed_volumes
from semcorr_ros.methods.semalign3d.building.refine_shape import log_likelihood, refine_shape
from semcorr_ros.methods.semalign3d.building.report import Report

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


def test_a_whole_build():
    """Every tensor of a class of twelve pictures, with coarse copies, unknown cameras among them."""
    pictures = builders.pictures(12, seed=4)
    samples = [each.sample for each in pictures]
    small = [_with_coarse_copies(each) for each in samples[:8]]
    unknown = [replace(each, annotated=replace(each.annotated, camera=None)) for each in samples[8:10]]
    config = BuildConfig(surface_points=150, dense_points=120, max_combinations=300, focal_combinations=300)
    model, report = build(builders.BEAST, builders.lazy(small + unknown + samples[10:]), config, seeded())
    found = {
        "sparse": model.sparse,
        "annotated": model.annotated,
        "modes": model.shape_modes.flatten(1).norm(dim=1),
    }
    found |= {
        "views": model.view_rotations,
        "metric_scale": model.metric_scale,
        "side": float(model.coarse.side),
    }
    tables = {"sparse": model.sparse_prototypes, "dense": model.dense.prototypes}
    tables |= {"coarse sparse": model.coarse.sparse, "coarse dense": model.coarse.dense}
    for name, table in tables.items():
        parts = ("features", "similarity_mean", "similarity_std", "facing")
        found |= {f"{name} {part}": getattr(table, part) for part in parts}
    found |= {"barycentric": model.dense.barycentric, "weight": model.dense.weight}
    for family in ("edge_pairs", "frames"):
        found |= {f"{family} {part}": getattr(getattr(model.statistics, family), part)
                  for part in ("indices", "alpha", "beta")}  # fmt: skip
    pinned.check("build", found, rel=5e-3)
    facts = (
        "images",
        "views",
        "coplanar",
        "keypoints",
        "statistics",
        "dense",
        "shape_modes",
        "focal_lengths",
    )
    told = {name: report[name] for name in facts}
    assert (told["images"], told["views"]) == (12, 24)
    assert sorted(told["focal_lengths"]) == ["beast_008", "beast_009"]
    assert told["keypoints"]["placed"] == 11
    assert told["keypoints"]["never_annotated"] == []
    assert told["keypoints"]["recognized"] > 0.8
    assert told["shape_modes"] == sorted(told["shape_modes"], reverse=True)
    of_a_keypoint = model.shape_modes.square().sum(-1).mean(-1).sqrt()
    assert told["shape_modes"] == pytest.approx(of_a_keypoint.tolist(), abs=1e-4)
    assert model.provenance == {
        "built_by": f"semcorr_ros {__version__}",
        "images": "12 of 12",
        "mirrored_views": "yes",
        "cameras": "estimated",
    }


def _with_coarse_copies(sample):
    own, other = _blurred(sample.features), _blurred(sample.mirrored_features)
    return replace(sample, coarse_features=own, mirrored_coarse_features=other)


def _blurred(features):
    """Features of a copy a quarter as large."""
    coarse = features.values.reshape(15, 2, 20, 2, -1).mean((1, 3))
    return FeatureMap(torch.nn.functional.normalize(coarse, dim=-1), features.image_size, features.backbone)


def test_what_is_kept_of_a_picture():
    for number, known in ((0, True), (1, False)):
        sample = builders.pictures(2, seed=6, known_camera=known)[number].sample
        found = observe(sample, replace(CONFIG, surface_points=80), seeded())
        parts = ("pixels", "depths", "features", "mirrored_features", "surface_pixels", "surface_depths")
        parts += ("surface_features", "mirrored_surface_features")
        pinned.check(f"evidence_of_picture_{number}", {part: getattr(found, part) for part in parts})


def test_the_share_that_is_kept_of_many_pictures():
    """A hundred thousand surface points of all views together, mirrored ones counted; at least fifty each."""
    samples = builders.lazy([each.sample for each in builders.pictures(3, seed=0)])
    for asked, count, expected in ((1200, 3, 1200), (30, 3, 50), (1200, 100, 500), (1200, 2000, 50)):
        config = BuildConfig(surface_points=asked)
        repeated = [samples[0], samples[1], *[replace(samples[2], load=_missing)] * (count - 2)]
        found, backbone = gather_evidence(repeated, 11, config, seeded(), Report())
        assert [len(each.surface_pixels) for each in found] == [expected] * 2
        assert backbone == builders.BACKBONE


def _missing():
    raise FileNotFoundError("no such picture")


def test_pictures_that_do_not_belong_are_named():
    samples = builders.lazy([each.sample for each in builders.pictures(4, seed=0)])
    foreign = samples[2].load()
    foreign = replace(foreign, features=replace(foreign.features, backbone="other:2"))
    lacking = samples[3].load()
    fewer = replace(
        lacking.annotated, keypoints=lacking.annotated.keypoints[:5], visible=lacking.annotated.visible[:5]
    )
    report, steps = Report(lambda stage, share: steps.append((stage, share))), []
    given = [samples[0], samples[1], *builders.lazy([foreign, replace(lacking, annotated=fewer)])]
    found, _ = gather_evidence(given, 11, CONFIG, seeded(), report)
    assert [each.name for each in found] == ["beast_000", "beast_001"]
    reasons = {each["name"]: each["reason"] for each in report.skipped}
    assert "features of 'other:2', those of the other images are 'fabricated:1'" in reasons["beast_002"]
    assert "5 keypoints, the category has 11" in reasons["beast_003"]
    assert steps == [("read images", pytest.approx(0.6 * share)) for share in (0.25, 0.5, 0.75, 1.0)]
    with pytest.raises(ValueError, match="1 of 2 images are usable, at least 2 are needed"):
        gather_evidence([samples[0], replace(samples[1], load=_missing)], 11, CONFIG, seeded(), Report())


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 0} for name in ("surface_points", "dense_points", "dense_neighbors")),
        *({name: 0} for name in ("max_combinations", "min_views")),
        {"coarse": -1},
        *({"focal_range": wrong} for wrong in ((0.0, 2.0), (2.0, 2.0), (3.0, 2.0))),
    ],
)
def test_settings_that_cannot_be(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        BuildConfig(**wrong)


def test_settings_that_just_can_be():
    least = BuildConfig(surface_points=1, dense_points=1, dense_neighbors=1, max_combinations=1, min_views=1)
    assert (least.min_views, BuildConfig(coarse=0).coarse) == (1, 0)
