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
from semcorr_ros.artifacts import DepthMap
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.live_providers import LiveProviders, live_providers
from semcorr_ros.masks import MaskProvider, attention, sam
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.options import flag
from semcorr_ros.provider_options import DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.sensing.frame import Frame, with_depth
from semcorr_ros.sensing.place import Place, observe_at, pieces
from semcorr_ros.storage import read_json, write_image

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
    features, masks = Features().encode(frame), (Halves(),)
    x, y, w, h = box = (40, 20, 50, 60)
    seen = observe_at(Place(box=box), frame, features, model, LiveProviders(Features(), masks=masks))
    plain = observe_at(
        Place(box=box),
        frame,
        features,
        model,
        LiveProviders(Features(), masks=(attention.build(attention.AttentionSettings()),)),
    )
    assert torch.equal(masks[0].rough, plain.mask)
    assert masks[0].box[0] <= x
    assert masks[0].box[2] >= x + w - 1
    rows, columns = seen.mask.nonzero().T
    assert rows.min() >= y - 6  # within the box and its margin, which the provider overstepped
    assert rows.max() < y + h + 6
    assert columns.max() < plain.mask.any(0).nonzero().max()


def test_a_detectors_mask_is_not_questioned_but_ours_is(model, frame):
    features, masks = Features().encode(frame), (Halves(),)
    providers = LiveProviders(Features(), masks=masks)
    (piece,) = pieces(frame, features, model, 2)
    assert piece.rough
    guessed = observe_at(piece, frame, features, model, providers)
    told = observe_at(replace(piece, rough=False), frame, features, model, providers)
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
    options = ("sam.candidate=best", f"sam.weights={tmp_path / 'sam'}", "attention.keep=0.5")
    features = FeatureOptions("fabricated", precision="bf16")
    named = (features, MaskOptions(("sam", "attention"), options), DepthOptions())
    chosen = live_providers(named, "cpu", None, flag).masks
    assert (chosen[0]._settings.candidate, chosen[0]._settings.precision) == ("best", "bf16")
    assert chosen[1].config.keep == 0.5
    found = live_providers((FeatureOptions("fabricated"), MaskOptions(), DepthOptions()), "cpu", None, flag)
    assert isinstance(found.masks[0], attention.AttentionMasks)
    assert found.depth is None


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    write_class(folder / "pear.safetensors", model)
    mask_networks.save_sam(folder / "sam", SEED)
    depth_networks.save_depth_anything(folder / "depth", metric=True)
    (folder / "quick.yaml").write_text("optimize: {steps: 40}\n")
    write_image(folder / "pear.png", torch.from_numpy(pear_camera.shoot(model, 70, scale=0.08).image))
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
    assert read_json(tmp_path / "a.json")["metric"]
    assert len(asked) == 1
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
