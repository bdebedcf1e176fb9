"""A picture in, an answer out: found, refused, stopped, carried over; and what a method may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros import answer as answers
from semcorr_ros import methods
from semcorr_ros.artifacts import DepthMap, Frame, KeypointState
from semcorr_ros.features import FEATURES, FeatureExtractor
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.live_providers import LiveProviders
from semcorr_ros.masks import MASKS
from semcorr_ros.methods import nearest_neighbor
from semcorr_ros.methods.semalign3d import settings_for
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.places import Place
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.storage import read_tensors, write_tensors
from semcorr_ros.stream import Region, Shot, Stream, sighting

pytestmark = pytest.mark.usefixtures("fabricated_backbone")
AZIMUTH = 70


@pytest.fixture(scope="module")
def pear():
    model = fabricated.make_class()
    return SemAlign3D(model, settings_for(methods.FAST, "pear"))


@pytest.fixture
def finder(fabricated_backbone):
    features = FEATURES.load("fabricated").make({}, {})
    return Finder(LiveProviders(features, masks=(MASKS.load("attention").make({}, {}),)))


def frame_of(shot) -> Frame:
    depth = DepthMap(torch.from_numpy(shot.depth), True)
    return Frame(torch.from_numpy(shot.image), shot.camera, depth)


def test_an_object_is_found_where_it_is_and_again_the_same(pear, finder):
    shot = pear_camera.shoot(pear.representation, AZIMUTH)
    scene = finder.scene(frame_of(shot))
    stages = []
    answer = finder.find(pear, scene, watch=Watch(report=lambda stage, done, energy: stages.append(stage)))
    assert answer.found
    assert answer.names == pear.info.keypoint_names
    assert np.nanmedian(np.linalg.norm(answer.xyz.numpy() - shot.keypoints, axis=1)) < 0.01
    assert answer.pose.metric
    assert list(dict.fromkeys(stages)) == ["features", "initialize", "optimize", "select"]
    again = finder.find(pear, scene)
    assert torch.equal(again.xyz.nan_to_num(), answer.xyz.nan_to_num())


def test_what_is_not_there_is_an_answer_with_a_reason(pear, finder):
    shot = pear_camera.shoot(pear.representation, AZIMUTH)
    dark = replace(frame_of(shot), image=torch.zeros(*shot.image.shape, dtype=torch.uint8))
    answer = finder.find(pear, finder.scene(dark))
    assert not answer.found
    assert answer.refusal.code == Code.NOT_FOUND
    assert set(answer.states) == {KeypointState.REJECTED}
    assert answer.placed is None
    box = finder.find(pear, finder.scene(dark), Place(box=(10, 10, 20, 20)))
    assert "in the region" in box.refusal.message


class Windows(FeatureExtractor):
    """The pear's features of any part of a picture; counts what is encoded."""

    backbone = fabricated.BACKBONE
    from_pixels = True

    def __init__(self):
        self.encoded = 0

    def encode(self, ref):
        self.encoded += 1
        return pear_camera.read_features(ref.image)


def test_what_attention_to_the_whole_does_not_see_is_found_in_a_window(pear):
    features = Windows()
    finder = Finder(LiveProviders(features))  # nobody outlines anything in the whole picture
    shot = pear_camera.shoot(pear.representation, AZIMUTH, scale=0.02)
    answer = finder.find(pear, finder.scene(frame_of(shot)))
    assert answer.found
    assert np.nanmedian(np.linalg.norm(answer.xyz.numpy() - shot.keypoints, axis=1)) < 0.005
    searched, features.encoded = features.encoded, 0
    patience = iter([True] * 3)
    with pytest.raises(Refusal) as gave_up:  # within the search for a place
        finder.find(pear, finder.scene(frame_of(shot)), watch=Watch(lambda: next(patience, False)))
    assert gave_up.value.code == Code.TIMEOUT
    assert features.encoded <= 4
    features.encoded = 0
    later = pear_camera.shoot(pear.representation, AZIMUTH + 3, scale=0.02)
    followed = finder.follow(pear, finder.scene(frame_of(later)), answer.placed)
    assert followed.found
    assert features.encoded < searched  # it is looked for where it was


def test_an_object_of_which_no_pixel_is_told_is_where_its_outline_is(pear, finder):
    shot = pear_camera.shoot(pear.representation, AZIMUTH)
    answer = finder.find(pear, finder.scene(frame_of(shot)))
    hidden = replace(answer, points=answers.nowhere(len(answer.names)))
    where, before = sighting(hidden), sighting(answer)
    assert np.linalg.norm(np.subtract(where.pixel, before.pixel)) < 10
    assert where.extent_px == pytest.approx(before.extent_px, rel=0.3)


def test_an_object_that_is_unsure_is_told_without_positions(pear, finder):
    shot = pear_camera.shoot(pear.representation, AZIMUTH)
    strict = replace(finder, min_score=1.0)
    answer = strict.find(pear, strict.scene(frame_of(shot)))
    assert answer.refusal.code == Code.LOW_SCORE
    assert answer.pose is not None
    assert torch.isnan(answer.xyz).all()


def test_a_search_ends_where_it_is_told_to(pear, finder):
    scene = finder.scene(frame_of(pear_camera.shoot(pear.representation, AZIMUTH)))
    with pytest.raises(Refusal) as stopped:
        finder.find(pear, scene, watch=Watch(lambda: False))
    assert stopped.value.code == Code.TIMEOUT


def test_other_features_are_refused_and_bugs_are_not_hidden(pear, finder, monkeypatch):
    scene = finder.scene(frame_of(pear_camera.shoot(pear.representation, AZIMUTH)))
    other = replace(pear, representation=replace(pear.representation, backbone="other:1"))
    with pytest.raises(Refusal) as refused:
        finder.find(other, scene)
    assert refused.value.code == Code.BACKBONE_MISMATCH

    def broken(*given):
        raise ValueError("a bug")

    monkeypatch.setattr("semcorr_ros.methods.semalign3d.model.alignment.align", broken)
    with pytest.raises(ValueError, match="a bug"):
        finder.find(pear, scene)


def test_points_are_carried_over_by_the_class_and_by_features(pear, finder):
    shots = [pear_camera.shoot(pear.representation, azimuth) for azimuth in (70, 80)]
    scenes = [finder.scene(frame_of(shot)) for shot in shots]
    source, target = (finder.find(pear, scene) for scene in scenes)
    shown = np.array([state == KeypointState.VISIBLE for state in source.states]) & np.array(
        [state == KeypointState.VISIBLE for state in target.states]
    )
    points = torch.from_numpy(shots[0].pixels[shown]).float()
    names = [f"p{i}" for i in range(len(points))]
    carried = finder.transfer(source, points, names, target)
    assert carried.names == tuple(names)
    assert np.median(np.linalg.norm(carried.pixels.numpy() - shots[1].pixels[shown], axis=1)) < 3
    plain = nearest_neighbor.PLUGIN.load(None, "cpu", methods.FAST)
    source, target = (finder.find(plain, scene) for scene in scenes)
    assert source.pose is None
    carried = finder.transfer(source, points, names, target)
    assert np.median(np.linalg.norm(carried.pixels.numpy() - shots[1].pixels[shown], axis=1)) < 6


def test_from_and_to_what_was_refused_nothing_is_carried(pear, finder):
    shot = pear_camera.shoot(pear.representation, AZIMUTH)
    sure = finder.find(pear, finder.scene(frame_of(shot)))
    dark = replace(frame_of(shot), image=torch.zeros(*shot.image.shape, dtype=torch.uint8))
    nothing = finder.find(pear, finder.scene(dark))
    for source, target in ((sure, nothing), (nothing, sure)):
        answer = finder.transfer(source, torch.zeros(2, 2), ["a", "b"], target)
        assert answer.refusal.code == Code.NOT_FOUND
        assert set(answer.states) == {KeypointState.REJECTED}


def test_some_of_the_points_keep_their_part_of_the_skeleton(pear, finder):
    answer = finder.find(pear, finder.scene(frame_of(pear_camera.shoot(pear.representation, AZIMUTH))))
    answer = replace(answer, edges=((0, 3), (3, 4), (4, 5)))
    some = answer.only([answer.names[4], answer.names[3]])
    assert some.edges == ((1, 0),)
    assert torch.equal(some.pixels[0], answer.pixels[4])
    with pytest.raises(ValueError, match="no keypoint 'nose'"):
        answer.only(["nose"])


def test_objects_keep_their_numbers_when_the_detector_changes_their_order(pear, finder):
    shot = pear_camera.side_by_side(pear.representation, 70, 100)
    boxes = [Region("pear", "", Place(box=pear_camera.box(shot, half))) for half in (0, 1)]
    scene, stream = finder.scene(frame_of(shot)), Stream("left")
    numbers = []
    for i, regions in enumerate((boxes, boxes[::-1], boxes[1:])):
        answers, refused = stream.look(finder, pear, Shot(scene, 0.1 * i, regions))
        assert not refused
        numbers.append([answer.instance_id for answer in answers])
    assert numbers == [["left_pear_0", "left_pear_1"], ["left_pear_1", "left_pear_0"], ["left_pear_1"]]
    stream.forget()
    answers, _ = stream.look(finder, pear, Shot(scene, 0.4, boxes[1:]))
    assert [answer.instance_id for answer in answers] == ["left_pear_0"]


def test_a_class_file_names_its_method(pear, tmp_path):
    path = tmp_path / "pear.safetensors"
    write_class(path, pear.representation)
    assert methods.method_of(path) == "semalign3d"
    assert methods.load(path).info.name == pear.info.name
    tensors, header = read_tensors(path)
    write_tensors(path, tensors, header | {"method": "crystal_ball"})
    with pytest.raises(ValueError, match=r"of method 'crystal_ball', this package has .*semalign3d"):
        methods.load(path)
