"""Pairs: extreme view changes in test, all images in trn."""

import numpy as np

from semcorr_lab.synthetic.pairs import choose_pairs, numbered, pair_annotation, viewpoint_variation


def annotations(count, visible):
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        ids = set(rng.choice(10, visible, replace=False).tolist())
        made.append(
            {
                "filename": f"x_{i:02d}.jpg",
                "category": "mug",
                "image_width": 64,
                "image_height": 48,
                "bndbox": [1, 2, 11 + 3 * i, 12],
                "pose": "Left",
                "truncated": i % 2,
                "occluded": 0,
                "kps": {str(k): ([k, i] if k in ids else None) for k in range(30)},
            }
        )
    return made


def circle(count):
    angle = np.arange(count) / count * 2 * np.pi
    return np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)


def test_test_pairs_favor_extreme_view_changes():
    views = annotations(24, 8)
    pairs = choose_pairs(views, circle(24), "test", 120, np.random.default_rng(0))
    counts = np.bincount([pair["viewpoint_variation"] for pair in pairs], minlength=3)
    assert counts.sum() == 120
    assert counts[2] > counts[0] + counts[1]
    assert all(len(pair["kps_ids"]) >= 3 for pair in pairs)
    assert len({pair["filename"].partition("-")[2] for pair in pairs}) == 120


def test_each_training_image_is_in_a_pair():
    views = annotations(12, 8)
    pairs = choose_pairs(views, circle(12), "trn", 2, np.random.default_rng(0))
    assert {pair[key] for pair in pairs for key in ("src_imname", "trg_imname")} == {
        view["filename"] for view in views
    }


def test_fewer_pairs_than_wanted_is_no_error():
    assert len(choose_pairs(annotations(3, 9), circle(3), "val", 50, np.random.default_rng(0))) == 6
    assert choose_pairs(annotations(1, 9), circle(1), "val", 50, np.random.default_rng(0)) == []


def test_sparse_keypoints_still_make_pairs():
    views = annotations(8, 2)
    assert choose_pairs(views, circle(8), "test", 5, np.random.default_rng(0))


def test_fields_of_a_pair():
    a, b = annotations(2, 10)
    b["bndbox"] = [0, 0, 40, 10]
    pair = pair_annotation(4, a, b, 130.0)
    assert pair["filename"] == "000004-x_00-x_01:mug"
    assert (pair["viewpoint_variation"], pair["scale_variation"]) == (2, 2)
    assert (pair["truncation"], pair["occlusion"]) == (2, 0)
    assert pair["kps_ids"] == [str(i) for i in range(10)]
    assert [viewpoint_variation(angle) for angle in (10, 60, 170)] == [0, 1, 2]


def test_numbers_run_through_the_split():
    pairs = choose_pairs(annotations(4, 9), circle(4), "val", 3, np.random.default_rng(0))
    renumbered = numbered(pairs + pairs)
    assert [pair["pair_id"] for pair in renumbered] == list(range(1, 7))
    assert renumbered[5]["filename"] == f"000006-{pairs[2]['filename'][7:]}"
