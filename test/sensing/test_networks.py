"""Masks and depth by networks, where a camera gives neither."""

from __future__ import annotations

from dataclasses import replace

import depth_networks
import mask_networks
import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.__main__ import main
from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.live_providers import live_providers
from semcorr_ros.masks import MaskProvider, attention, sam
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.observations import look_for, scene_of_frame, with_depth
from semcorr_ros.places import Place, candidates
from semcorr_ros.provider_options import DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.storage import read_json, write_image, write_json

pytestmark = pytest.mark.usefixtures("fabricated_backbone")
SEED = 3  # of a random SAM whose answer overlaps with the pear's


class Features(FeatureExtractor):
    backbone = fabricated.BACKBONE

    def encode(self, ref):
        return pear_camera.read_features(ref.image)


class Halves(MaskProvider):
    """Knows better than attention: the left half of what is meant. Remembers what it was told."""

    def mask(self, sample, seen, model):
        self.box, self.rough = sample.bbox, seen.mask
        columns = seen.mask.any(0).nonzero()[:, 0]
        left = torch.arange(seen.mask.shape[1]) <= columns.float().mean()
        return torch.ones_like(seen.mask) & left


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


@pytest.fixture(scope="module")
def frame(model):
    shot = pear_camera.shoot(model, 70)
    return Frame(torch.from_numpy(shot.image), shot.camera, DepthMap(torch.from_numpy(shot.depth), True))


def test_in_a_box_a_provider_outlines_what_attention_found(model, frame):
    features, masks = Features(), (Halves(),)
    x, y, w, h = box = (40, 20, 50, 60)
    scene = scene_of_frame(frame, features)
    seen = look_for(scene, features, masks, model, Place(box=box))
    plain = look_for(
        scene, features, (attention.build(attention.AttentionSettings()),), model, Place(box=box)
    )
    assert torch.equal(masks[0].rough, plain.mask)
    assert masks[0].box[0] <= x
    assert masks[0].box[2] >= x + w - 1
    rows, columns = seen.mask.nonzero().T
    assert rows.min() >= y - 6  # within the box and its margin, which the provider overstepped
    assert rows.max() < y + h + 6
    assert columns.max() < plain.mask.any(0).nonzero().max()


def test_a_detectors_mask_is_not_questioned_but_ours_is(model, frame):
    features, masks = Features(), (Halves(),)
    scene = scene_of_frame(frame, features)
    (piece,) = candidates(scene.seen(), model, 2)
    assert piece.rough
    guessed = look_for(scene, features, masks, model, piece)
    told = look_for(scene, features, masks, model, replace(piece, rough=False))
    assert torch.equal(told.mask, piece.mask)
    assert not torch.equal(guessed.mask, piece.mask)


class Network:
    def from_image(self, image, camera=None):
        return DepthMap(torch.full(image.shape[:2], 2.0), metric=True, focal=None if camera else 70.0)


def test_a_network_gives_depth_only_where_no_sensor_did(frame):
    assert with_depth(frame, None) is frame
    assert with_depth(frame, Network()) is frame
    bare = replace(frame, depth=None)
    assert with_depth(bare, Network()).depth.values.unique() == 2
    assert with_depth(bare, Network()).camera is frame.camera
    guessed = with_depth(replace(bare, camera=None), Network()).camera
    assert guessed.focal.tolist() == [70, 70]
    assert guessed.principal_point.tolist() == [63.5, 47.5]


def test_names_become_providers(tmp_path):
    mask_networks.save_sam(tmp_path / "sam")
    given = ("sam.candidate=best", f"sam.weights={tmp_path / 'sam'}", "attention.keep=0.5")
    masks = MaskOptions(masks=("sam", "attention"), mask_options=given)
    features = FeatureOptions(backbone="tiny", precision="bf16")
    chosen = live_providers((features, masks, DepthOptions()), "cpu", None, lambda group, name: name)
    assert (chosen.masks[0]._settings.candidate, chosen.masks[0]._settings.precision) == ("best", "bf16")
    assert chosen.masks[1].config.keep == 0.5
    plain = live_providers(
        (FeatureOptions(backbone="tiny"), MaskOptions(), DepthOptions()),
        "cpu",
        None,
        lambda group, name: name,
    )
    assert isinstance(plain.masks[0], attention.AttentionMasks)
    assert plain.depth is None


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    write_class(folder / "pear.safetensors", model)
    mask_networks.save_sam(folder / "sam", SEED)
    depth_networks.save_depth_anything(folder / "depth", metric=True)
    (folder / "quick.yaml").write_text("optimize: {steps: 40}\n")
    shot = pear_camera.shoot(model, 70, scale=0.08)
    write_image(folder / "pear.png", torch.from_numpy(shot.image))
    (fx, fy), (cx, cy) = shot.camera.focal.tolist(), shot.camera.principal_point.tolist()
    write_json(folder / "camera.json", {"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]})
    return folder


def test_align_with_networks(files, tmp_path, monkeypatch):
    asked = []
    segment = sam.PromptedSegmenter.segment

    def watched(self, image, prompt):
        asked.append(prompt)
        return segment(self, image, prompt)

    monkeypatch.setattr(sam.PromptedSegmenter, "segment", watched)
    given = ["align", "--image", files / "pear.png", "--class-file", files / "pear.safetensors"]
    given += ["--backbone", "fabricated", "--alignment", files / "quick.yaml", "--json", tmp_path / "a.json"]
    networks = ["--masks", "sam", "attention", "--mask-option", f"sam.weights={files / 'sam'}"]
    networks += ["--depth-network", "depth_anything", "--depth-option", f"weights={files / 'depth'}"]
    networks += ["--depth-option", "side=70", "--precision", "bf16"]
    assert main([*map(str, given), *map(str, networks)]) == 0
    assert not read_json(tmp_path / "a.json")["metric"]  # its focal length is a guess
    given += ["--camera", files / "camera.json"]
    assert main([*map(str, given), *map(str, networks)]) == 0
    assert read_json(tmp_path / "a.json")["metric"]
    assert len(asked) == 2
    assert asked[0].region.any()
    assert main(list(map(str, given))) == 0
    assert not read_json(tmp_path / "a.json")["metric"]


def test_replay_with_a_depth_network(model, files, tmp_path):
    pytest.importorskip("rosbags", reason="pip install 'semcorr_ros[bags]'")
    import fabricated_bag

    fabricated_bag.write_bag(tmp_path / "bag", [pear_camera.shoot(model, 70)])
    given = ["replay", tmp_path / "bag", "--class-file", files / "pear.safetensors", "--no-depth"]
    given += [
        "--backbone",
        "fabricated",
        "--output",
        tmp_path / "out.json",
        "--depth-network",
        "depth_anything",
    ]
    given += ["--depth-option", f"weights={files / 'depth'}", "--depth-option", "side=70", "--min-score", 0]
    assert main(list(map(str, given))) == 0
    (frame,) = read_json(tmp_path / "out.json")["frames"]
    assert frame["objects"][0]["metric"], frame
