"""Parameters that choose networks: what they make of a picture, over DDS, and why some cannot be used."""

from __future__ import annotations

import signal
from dataclasses import replace

import depth_networks
import mask_networks
import numpy as np
import pear_camera
import pytest
from methods.semalign3d.alignment import fabricated
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros.conftest import call
from ros.test_lifecycle import change, state
from ros.test_perceive import inline, xyz
from semcorr_ros.srv import TransferKeypoints

from semcorr_ros.features import efficientnet_lite, tiny
from semcorr_ros.finder import Finder
from semcorr_ros.methods import Quality
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.parameters import Parameters, check, providers_from
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.serving.class_bank import ClassBank

SEED = 3  # of a random SAM whose answer overlaps with the pear's


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    write_class(folder / "pear.safetensors", model)
    (folder / "quick.yaml").write_text("optimize: {steps: 60}\n")
    mask_networks.save_sam(folder / "sam", SEED)
    depth_networks.save_depth_anything(folder / "depth", metric=True)
    return folder


def chosen(folder) -> dict:
    return {
        "masks": ("sam", "attention"),
        "mask_options": (f"sam.weights={folder / 'sam'}",),
        "depth_network": "depth_anything",
        "depth_options": (f"weights={folder / 'depth'}", "side=70"),
        "precision": "bf16",
    }


def test_networks_over_dds_say_what_they_say_here(start, ros, folder, model, fabricated_backbone):
    shot = pear_camera.shoot(model, 70, scale=0.08)
    quick = {"backbone": "fabricated", "threads": "1", "quality": str(folder / "quick.yaml")}
    listed = {k: v if isinstance(v, str) else f"[{','.join(v)}]" for k, v in chosen(folder).items()}
    node = start("perceive", quick | listed | {"__node": "eyes", "classes": f"[{folder}/pear.safetensors]"})
    own = quick | {"threads": 1}
    for measured in (True, False):
        request = TransferKeypoints.Request(class_name="pear", **inline(shot, "target", depth=measured))
        answer = call(ros, TransferKeypoints, "/eyes/transfer_keypoints", request)
        assert answer.success, answer.message
        assert answer.pose.metric  # of a picture without depth, too
        told = np.array([xyz(point) for point in answer.keypoints.keypoints])
        assert np.isfinite(told).all(-1).any()
        expected, seen = here(folder, shot, Parameters(**own, **chosen(folder)), measured)
        np.testing.assert_allclose(told, expected, atol=1e-4)
        if measured:
            without = chosen(folder) | {"masks": (), "mask_options": ()}
            _, attended = here(folder, shot, Parameters(**own, **without), measured)
            assert seen.mask.sum() > 1.5 * attended.mask.sum()  # it is the network that was asked
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output


def here(folder, shot, parameters, measured):
    """Positions of the keypoints as this process finds them, and what it looked at."""
    finder = Finder(providers_from(parameters, "cpu"), parameters.min_score, parameters.seed)
    bank = ClassBank("cpu", finder.backbone, quality=Quality(parameters.quality))
    model = bank.load(folder / "pear.safetensors").model
    messages = inline(shot, "target", depth=measured)
    picture = Picture(*(messages.get(f"target_{name}") for name in ("image", "camera_info", "depth")))
    answer = finder.find(model, picture.scene(finder.scene)).only(model.known)
    return answer.xyz.numpy(), answer.placed.seen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backbone_options": ("sise=2",)}, r"features/efficientnet_lite: unknown key 'sise'; allowed: "),
        ({"backbone_options": ("size",)}, "backbone_options takes KEY=VALUE, got 'size'"),
        ({"backbone_options": ("weights=here",)}, "use the parameter weights"),
        ({"precision": "fp16"}, "precision 'fp16' means nothing to efficientnet_lite, attention"),
        ({"masks": ("spam",)}, "masks must be one of annotation, .*sam3, got 'spam'"),
        ({"masks": ("annotation",)}, "'annotation' reads files of a data set; for pictures alone there are"),
        ({"mask_options": ("sam.size=base",)}, "mask_options sam.size=base: .* one of attention"),
        ({"masks": ("sam",), "mask_options": ("sam.size=vast",)}, "size must be one of base, large, huge"),
        ({"masks": ("sam",)}, r"no weights sam-vit-huge .*weights fetch sam-vit-huge"),
        ({"depth_network": "sensor"}, "'sensor' reads files of a data set; .* depth_anything, depth_pro$"),
        ({"depth_options": ("side=70",)}, "depth_options side=70: no depth network is chosen"),
        ({"depth_network": "depth_pro"}, "weights fetch depth-pro"),
    ],
)
def test_what_cannot_be_used_is_explained(given, message, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        providers_from(check(Parameters(**given)), "cpu")


def class_on(folder, name, extractor) -> str:
    """A class file of that name, built on a live backbone."""
    model, path = fabricated.make_class(), folder / f"{name}.safetensors"
    backbone, info = extractor.PLUGIN.make({}, {}).backbone, replace(model.info, name=name)
    write_class(path, replace(model, backbone=backbone, info=info))
    return str(path)


def test_the_first_active_class_chooses_the_backbone(tmp_path):
    files = (class_on(tmp_path, "photo", efficientnet_lite), class_on(tmp_path, "toy", tiny))

    def chosen_for(**given) -> str:
        return providers_from(check(Parameters(**given)), "cpu").features.backbone.partition(":")[0]

    assert chosen_for() == "efficientnet_lite"
    assert chosen_for(classes=files) == "efficientnet_lite"
    assert chosen_for(classes=files[1:]) == "tiny"
    assert chosen_for(classes=files, active_classes=("toy", "photo")) == "tiny"
    assert chosen_for(classes=files[1:], backbone="efficientnet_lite") == "efficientnet_lite"
    bank = ClassBank("cpu", providers_from(Parameters(classes=files), "cpu").features.backbone)
    bank.load(files[0])
    with pytest.raises(Refusal, match=r"build_class --backbone efficientnet_lite .*toy") as caught:
        bank.load(files[1])
    assert caught.value.code == Code.BACKBONE_MISMATCH


def test_a_node_with_a_class_of_rendered_images_says_so(start, ros, tmp_path):
    said = {}
    for name, extractor in (("photo", efficientnet_lite), ("toy", tiny)):
        node = start(
            "perceive", {"classes": f"[{class_on(tmp_path, name, extractor)}]", "__node": f"says_{name}"}
        )
        assert state(ros, f"says_{name}") == "active"
        status, said[name] = node.stop(signal.SIGINT)
        assert status == 0, said[name]
    assert "knows rendered images only" not in said["photo"]
    assert said["toy"].count("knows rendered images only") == 1


def test_features_in_files_are_an_option_of_the_backbone(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.ones((2, 3, 4), np.float32))
    given = Parameters(backbone="precomputed", backbone_options=(f"folder={tmp_path}",))
    assert providers_from(check(given), "cpu").features.backbone == "precomputed:4"
    with pytest.raises(ValueError, match="'precomputed' needs folder"):
        providers_from(check(Parameters(backbone="precomputed")), "cpu")


def test_choices_that_need_no_plug_in_are_checked_at_once():
    with pytest.raises(ValueError, match=r"precision must be one of \(empty\), fp32, fp16, bf16, got 'int4'"):
        check(Parameters(precision="int4"))
    with pytest.raises(ValueError, match="it has no use if depth is required"):
        check(Parameters(depth="required", depth_network="depth_pro"))


def test_a_configure_with_a_wrong_network_fails_and_can_be_mended(start, ros):
    node = start("perceive", {"autostart": "false", "masks": "[annotation]", "__node": "squint"})
    assert not change(ros, "squint", 1)
    assert state(ros, "squint") == "unconfigured"
    request = SetParameters.Request(parameters=[Parameter("masks", value=["attention"]).to_parameter_msg()])
    assert call(ros, SetParameters, "/squint/set_parameters", request).results[0].successful
    assert change(ros, "squint", 1)
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "configure: the masks plug-in 'annotation' reads files of a data set" in output
