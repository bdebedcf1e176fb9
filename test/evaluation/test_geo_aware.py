"""The geometry-aware subset and the breakdowns."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets._class_facts import from_spair
from semcorr_ros.evaluation import geo_aware
from semcorr_ros.evaluation.breakdown import azimuth_difference, breakdowns, level_name
from semcorr_ros.evaluation.journal import Prediction, open_journal
from semcorr_ros.evaluation.score import Protocol, score


def pair(ids, source="a", target="b", **difficulty):
    points = torch.arange(2.0 * len(ids)).reshape(-1, 2) * 10
    return ImagePair(source, target, torch.tensor(ids), points, points, (0.0, 0.0, 100.0, 50.0), difficulty)


def sample(name, visible, azimuth_id=None, size=(100, 400)):
    points = torch.zeros(len(visible), 2)
    box = (0.0, 0.0, 100.0, 50.0)
    shown = torch.tensor(visible)
    return AnnotatedImage(name, "chair", None, size, points, shown, box, azimuth_id=azimuth_id)


def test_a_group_counts_by_what_the_target_shows():
    visible = torch.tensor([True, True, False, True, True, False])  # 2 of (0, 1), 1 of (2, 3)
    got = geo_aware.geo_aware(torch.tensor([0, 3, 4]), visible, ((0, 1), (2, 3)))
    assert got.tolist() == [True, False, False]
    none = geo_aware.geo_aware(torch.zeros(0, dtype=torch.long), visible, ((0, 1),))
    assert none.dtype == torch.bool


def test_groups_of_spair_and_of_any_other_class():
    chair = from_spair("chair", 14)
    assert geo_aware.groups(chair)[2] == (4, 5, 6, 7)
    assert geo_aware.groups(replace(chair, flip=None)) == (), "PF-PASCAL's chairs are numbered differently"
    own = CategoryInfo("chair", ("seat", "left", "right"), (0, 2, 1))
    assert geo_aware.groups(own) == ((1, 2),)
    assert geo_aware.groups(CategoryInfo("x", ("a",), None)) == ()


def test_published_groups_do_not_overlap():
    for groups in (*geo_aware.SPAIR.values(), geo_aware.AP10K):
        members = [i for group in groups for i in group]
        assert len(members) == len(set(members))
        assert max(members) < 30
    assert geo_aware.SPAIR["bus"][4] == (11, 14, 21, 24)


def test_the_published_groups():
    """As published with GeoAware-SC, category by category."""
    lamps = ((10, 13, 20, 23), (11, 14, 21, 24), (12, 15, 22, 25), (16, 17, 26, 27), (18, 19, 28, 29))
    paws = ((2, 3), (9, 10, 11, 12))

    def twos(first, last):
        return tuple((i, i + 1) for i in range(first, last, 2))

    published = {
        "aeroplane": twos(4, 22),
        "bicycle": ((2, 3), (6, 7), (9, 10)),
        "bird": ((1, 2), (10, 11), (12, 13), (14, 15)),
        "boat": twos(1, 13),
        "bottle": twos(0, 10),
        "bus": ((0, 1), (2, 3, 5, 6), (4, 7), *lamps),
        "car": ((0, 1), (2, 3, 6, 7), (4, 8), (5, 9), *lamps),
        "cat": paws,
        "chair": ((0, 1), (2, 3), (4, 5, 6, 7), *twos(8, 14)),
        "cow": (*paws, (15, 16, 17, 18), (19, 20)),
        "dog": paws,
        "horse": ((2, 3), (10, 11, 12, 13), (16, 17, 18, 19)),
        "motorbike": ((0, 1), (2, 3)),
        "person": twos(8, 20),
        "pottedplant": ((0, 1, 2, 3), (4, 5), (6, 8)),
        "sheep": (*paws, (15, 16, 17, 18), (19, 20)),
        "train": twos(0, 18),
        "tvmonitor": ((0, 2, 4, 6), (1, 3, 5, 7), (8, 10, 12, 14), (9, 11, 13, 15)),
    }
    assert {name: geo_aware.groups(from_spair(name, 30)) for name in published} == published
    assert set(geo_aware.SPAIR) == set(published)
    assert geo_aware.AP10K == ((5, 8), (6, 9, 12, 15), (7, 10, 13, 16), (11, 14))


def test_groups_of_ap10k():
    names = ("left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder")
    dog = CategoryInfo("dog", (*names, *(f"p{i}" for i in range(11))), None)
    assert geo_aware.groups(dog) == ((5, 8), (6, 9, 12, 15), (7, 10, 13, 16), (11, 14))
    shorter = replace(dog, keypoint_names=dog.keypoint_names[:16])
    other = CategoryInfo("dog", ("nose", *dog.keypoint_names[1:]), None)
    assert geo_aware.groups(shorter) == geo_aware.groups(other) == (), "another way of numbering"


@pytest.mark.parametrize(
    ("first", "second", "apart"), [(0, 7, 1), (0, 4, 4), (6, 2, 4), (5, 5, 0), (1, 6, 3)]
)
def test_azimuth_difference_goes_the_short_way(first, second, apart):
    assert azimuth_difference(first, second) == azimuth_difference(second, first) == apart


def test_levels_have_the_names_of_the_data_set_or_none():
    assert [level_name("truncation", level) for level in ("0", "3", "4", "-1")] == ["none", "both", "4", "-1"]
    assert level_name("azimuth_difference", "4") == "180"
    assert level_name("viewpoint_variation", "3") == "3"
    assert level_name("mirrored", "0") == "0"


def test_breakdown_counts_pairs_per_level():
    right, wrong = torch.tensor([True, True]), torch.tensor([False, True])
    samples = {"a": sample("a", [True] * 2, 0), "b": sample("b", [True] * 2, 3)}
    outcomes = [(pair([0, 1], truncation=0), right), (pair([0, 1], truncation=2), wrong)]
    found = breakdowns(outcomes, samples)
    assert found["truncation"] == {"0": {"pairs": 1, "pck": 1.0}, "2": {"pairs": 1, "pck": 0.5}}
    assert found["azimuth_difference"] == {"3": {"pairs": 2, "pck": 0.75}}


def test_score_with_a_protocol(tmp_path):
    journal = open_journal(tmp_path / "p.jsonl")
    asked = pair([0, 1, 2])
    # 12 pixels off at keypoint 0: outside a tenth of the box (10), inside a tenth of the image (40).
    journal.add_prediction(
        7, Prediction(asked.target_keypoints + torch.tensor([[12.0, 0], [0, 0], [0, 0]]), 0.1)
    )
    samples = {"a": sample("a", [True] * 3), "b": sample("b", [True] * 3)}
    box = score({7: asked}, journal, Protocol(samples, ((0, 1),)))
    assert box["pck"]["per_image"]["0.1"] == pytest.approx(2 / 3)
    assert box["geo_aware"]["per_image"]["0.1"] == 0.5
    assert box["geo_aware"]["keypoints"] == 2
    image = score({7: asked}, journal, Protocol(samples, threshold="image"))
    assert image["pck"]["per_image"]["0.1"] == 1.0
