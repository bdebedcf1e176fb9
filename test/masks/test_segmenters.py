"""SAM, SAM 2.1 and SAM 3: tiny random models of the real classes, loaded through the real path."""

import json
from dataclasses import replace
from types import SimpleNamespace

import mask_networks
import numpy as np
import pytest
import spair_folder
import torch
import transformers
from methods.semalign3d.alignment import fabricated
from model_folders import ModelFolders
from safetensors.torch import load_file, save_file

from semcorr_ros import weights
from semcorr_ros.artifacts import FeatureMap, Observation
from semcorr_ros.datasets import spair71k
from semcorr_ros.masks import _prompts, attention, sam, sam2, sam3
from semcorr_ros.masks._prompts import Prompt
from semcorr_ros.masks._segmenter import PromptedSegmenter, Settings
from semcorr_ros.weights import networks

SIZES = [(60, 91), (91, 60), (64, 64)]
MODULES = {"sam": sam, "sam2": sam2}


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    savers = {"sam": mask_networks.save_sam, "sam2": mask_networks.save_sam2, "sam3": mask_networks.save_sam3}
    return ModelFolders(tmp_path_factory.mktemp("masks"), savers)


def build(folders, name, **options):
    return MODULES[name].build(MODULES[name].Config(weights=str(folders / name), **options))


def picture(size, seed=0):
    draws = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (1, 3, 5, 7), generator=draws).float()
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")[0].permute(1, 2, 0).byte()


def square(size=(60, 91), rows=slice(20, 50), columns=slice(30, 60)):
    region = torch.zeros(size, dtype=torch.bool)
    region[rows, columns] = True
    return region


POINTS = Prompt(torch.tensor([[40.0, 30.0], [20.0, 50.0]]))


@pytest.mark.parametrize("size", SIZES)
def test_sam_is_the_hubs_own_pipeline(folders, size):
    image, model = picture(size), build(folders, "sam")
    # transformers 4 knows the processor without torchvision under another name.
    kind = getattr(transformers, "SamImageProcessorPil", transformers.SamImageProcessor)
    processor = kind(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
    inputs = processor(images=image.numpy(), return_tensors="pt")
    assert (model.pixels(image) - inputs["pixel_values"]).abs().mean() < 2e-3
    scale = torch.tensor([inputs["reshaped_input_sizes"][0][i] / size[i] for i in (1, 0)])
    points = (POINTS.points + 0.5) * scale - 0.5
    with torch.no_grad():
        found = model._network(pixel_values=inputs["pixel_values"], input_points=points[None, None])
    expected = processor.post_process_masks(
        found.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
    )[0][0]
    masks, scores = model.candidates(image, POINTS)
    assert masks.shape == (3, *size)
    assert 0.02 < float(masks.float().mean()) < 0.98
    assert float((masks != expected).float().mean()) < 0.01
    np.testing.assert_allclose(scores, found.iou_scores[0, 0], atol=0.02)


@pytest.mark.parametrize("size", SIZES)
def test_sam2_is_the_networks_own_pass_on_a_stretched_image(folders, size):
    image, model = picture(size), build(folders, "sam2")
    floats = image.permute(2, 0, 1)[None].float()
    stretched = torch.nn.functional.interpolate(floats, (64, 64), mode="bilinear", antialias=True)
    expected = networks.normalized(
        stretched[0].permute(1, 2, 0).round().byte(), networks.IMAGENET_MEAN, networks.IMAGENET_STD
    )
    assert (model.pixels(image) - expected).abs().mean() < 5e-3
    points = (POINTS.points + 0.5) * 64 / torch.tensor([size[1], size[0]]) - 0.5
    with torch.no_grad():
        found = model._network(pixel_values=model.pixels(image), input_points=points[None, None])
    wanted = torch.nn.functional.interpolate(found.pred_masks[0], size, mode="bilinear")[0] > 0
    masks, scores = model.candidates(image, POINTS)
    assert torch.equal(masks, wanted)
    np.testing.assert_allclose(scores, found.iou_scores[0, 0], rtol=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_prompts_matter_and_answers_are_repeatable(folders, name):
    image, model = picture((60, 91)), build(folders, name)
    elsewhere = Prompt(torch.tensor([[80.0, 5.0]]))
    box = Prompt(torch.zeros(0, 2), (10.0, 10.0, 50.0, 40.0))
    (first, scores), (again, _) = (model.candidates(image, POINTS) for _ in range(2))
    assert torch.equal(first, again)
    assert not first.is_inference()
    assert not torch.equal(first, model.candidates(image, elsewhere)[0])
    assert len(model.candidates(image, box)[0]) == 1
    assert torch.equal(model.segment(image, POINTS), first[2])
    best = build(folders, name, candidate="best")
    assert torch.equal(best.segment(image, POINTS), first[scores.argmax()])
    half, _ = build(folders, name, precision="bf16").candidates(image, POINTS)
    assert 0 < float((half != first).float().mean()) < 0.2


@pytest.mark.parametrize("name", MODULES)
def test_a_box_is_used_where_it_is_asked_for(folders, name):
    image = picture((60, 91))
    both = Prompt(POINTS.points, (10.0, 10.0, 50.0, 40.0))
    only_box = replace(both, points=torch.zeros(0, 2))
    auto, points, boxed = (build(folders, name, prompt=kind) for kind in ("auto", "points", "box"))
    assert torch.equal(auto.candidates(image, both)[0], points.candidates(image, POINTS)[0])
    assert torch.equal(boxed.candidates(image, both)[0], auto.candidates(image, only_box)[0])
    meant = replace(both, region=square())
    assert not torch.equal(auto.candidates(image, meant)[0], points.candidates(image, meant)[0])


def sample_of(tmp_path):
    spair_folder.write_folder(tmp_path)
    return spair71k.build(tmp_path).images("chair", "trn")[0]


def test_while_a_class_is_built_annotated_keypoints_are_the_prompt(tmp_path):
    sample = sample_of(tmp_path)
    seen = Observation(
        torch.zeros(60, 80, 3, dtype=torch.uint8), FeatureMap(torch.zeros(1, 1, 1), (60, 80), "")
    )
    prompt = _prompts.prompt_for(sample, seen, None)
    assert torch.equal(prompt.points, sample.keypoints[sample.visible])
    assert prompt.region is None
    bare = replace(sample, visible=torch.zeros_like(sample.visible))
    assert _prompts.prompt_for(bare, seen, None).box == sample.bbox
    assert _prompts.prompt_for(replace(bare, bbox=(0.0, 0.0, 79.0, 59.0)), seen, None) is None


@pytest.mark.parametrize("name", MODULES)
def test_with_a_class_attention_is_the_prompt_and_annotations_are_not(folders, tmp_path, name):
    model = fabricated.make_class()
    seen, _ = fabricated.observe(model, 30, 20)
    seen = replace(seen, image=picture(seen.depth.values.shape), mask=None)
    sample = sample_of(tmp_path)
    provider = build(folders, name)
    found = provider.mask(sample, seen, model)
    assert found.shape == seen.depth.values.shape
    moved = replace(sample, keypoints=sample.keypoints + 7, bbox=(1.0, 2.0, 3.0, 4.0))
    assert torch.equal(provider.mask(moved, seen, model), found)
    region = attention.find_object(model, seen)
    prompt = _prompts.prompt_for(sample, seen, model)
    assert torch.equal(prompt.region, region)
    x, y = prompt.points.long().T
    assert region[y, x].all()
    features = replace(seen.features, values=seen.features.values[:1, :1].expand(*fabricated.SIZE, -1))
    assert provider.mask(sample, replace(seen, features=features), model) is None


class Answers(PromptedSegmenter):
    """A network that always gives the same answers."""

    def __init__(self, masks, **settings):
        self._settings, self._masks = Settings(**settings), masks

    def candidates(self, image, prompt):
        return self._masks, torch.linspace(0.9, 0.1, len(self._masks))


def test_the_answer_that_agrees_with_attention_is_meant():
    part, whole, scene = square(rows=slice(20, 25)), square(rows=slice(18, 50)), square(columns=slice(0, 91))
    prompt = _prompts.from_region(square())
    image = picture((60, 91))
    assert torch.equal(Answers(torch.stack([part, whole, scene])).segment(image, prompt), whole)
    away = square(rows=slice(0, 10), columns=slice(0, 10))
    assert torch.equal(Answers(torch.stack([part, away])).segment(image, prompt), prompt.region)


def test_points_of_a_region_are_deep_inside_and_apart():
    prompt = _prompts.from_region(square() | square(rows=slice(5, 15), columns=slice(0, 12)))
    assert prompt.box == (0.0, 5.0, 59.0, 49.0)
    assert (prompt.points[0] - torch.tensor([44.5, 34.5])).abs().max() <= 1.5
    assert len(prompt.points) > 1
    assert float(torch.pdist(prompt.points).min()) > 5
    cut_off = _prompts.from_region(square(rows=slice(0, 10)))
    assert cut_off.points[0, 1] < 5  # the border of the image is not the object's outline


def test_agreement_with_points_and_with_a_box():
    masks = torch.stack([square(), torch.zeros(60, 91, dtype=torch.bool)])
    assert _prompts.agreement(masks, POINTS).tolist() == [0.5, 0]
    box = Prompt(torch.zeros(0, 2), (30.0, 20.0, 59.0, 49.0))
    assert _prompts.agreement(masks, box).tolist() == [1, 0]


def named(folders, folder="sam3", **options):
    return sam3.build(sam3.Config(weights=str(folders / folder), **options))


@pytest.mark.parametrize("size", SIZES)
def test_sam3_finds_objects_of_a_name(folders, size):
    image, model = picture(size), named(folders, threshold=0.0)
    masks, scores = model.objects(image, "mug")
    assert masks.shape == (6, *size)
    assert scores.shape == (6,)
    assert 0 < float(masks.float().mean()) < 1
    _, others = model.objects(image, "car")
    assert not torch.equal(scores, others)
    bound = float(scores.sort().values[3])
    kept, above = named(folders, threshold=bound).objects(image, "mug")
    assert len(kept) == int((scores > bound).sum()) == 2
    assert above.min() > bound


def test_sam3_takes_the_object_that_the_prompt_means(folders):
    left, right = square(columns=slice(0, 20)), square(columns=slice(50, 70))
    masks, scores = torch.stack([left, right]), torch.tensor([0.9, 0.5])
    on_right = Prompt(torch.tensor([[60.0, 30.0]]))
    assert torch.equal(sam3.choose(masks, scores, None), left)
    assert torch.equal(sam3.choose(masks, scores, on_right), right)
    assert torch.equal(sam3.choose(masks, scores, _prompts.from_region(right)), right)
    assert sam3.choose(masks, scores, Prompt(torch.tensor([[40.0, 2.0]]))) is None
    assert sam3.choose(masks[:0], scores[:0], on_right) is None


def test_sam3_is_asked_for_the_category_in_everyday_words(folders, tmp_path, monkeypatch):
    asked, model = [], named(folders, threshold=0.99)
    find = model.objects
    monkeypatch.setattr(model, "objects", lambda image, text: asked.append(text) or find(image, text))
    sample = sample_of(tmp_path)
    seen = Observation(picture((60, 80)), FeatureMap(torch.zeros(1, 1, 1), (60, 80), ""))
    for category in ("tvmonitor", "coffee_mug"):
        assert model.mask(replace(sample, category=category), seen, None) is None
    assert asked == ["tv monitor", "coffee mug"]


def test_folders_of_the_hub_hold_video_models(folders, tmp_path):
    config = mask_networks.sam2_config()
    video = transformers.Sam2VideoConfig(
        vision_config=config.vision_config,
        prompt_encoder_config=config.prompt_encoder_config,
        mask_decoder_config=config.mask_decoder_config,
        image_size=64,
        memory_attention_hidden_size=32,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_num_layers=1,
        memory_encoder_hidden_size=32,
        memory_encoder_output_channels=16,
        mask_downsampler_embed_dim=32,
        memory_fuser_embed_dim=32,
        memory_fuser_intermediate_dim=32,
    )
    transformers.Sam2VideoModel(video).save_pretrained(tmp_path / "sam2")
    assert build(tmp_path, "sam2").candidates(picture((60, 91)), POINTS)[0].shape == (3, 60, 91)
    as_video = tmp_path / "sam3"
    as_video.mkdir()
    tensors = load_file(folders / "sam3" / "model.safetensors")
    detector = {f"detector_model.{name}": tensor for name, tensor in tensors.items()}
    save_file(detector, as_video / "model.safetensors", {"format": "pt"})
    inner = json.loads((folders / "sam3" / "config.json").read_text())
    (as_video / "config.json").write_text(json.dumps({"model_type": "sam3_video", "detector_config": inner}))
    mask_networks.save_clip_tokenizer(as_video)
    scores = [named(root, threshold=0.0).objects(picture((60, 91)), "mug")[1] for root in (folders, tmp_path)]
    assert torch.equal(*scores)


@pytest.mark.parametrize(
    ("module", "config", "parts"),
    [
        (sam, sam.Config(), ("facebook/sam-vit-huge", "Apache-2.0", "2.6 GB", "weights fetch sam-vit-huge")),
        (sam2, sam2.Config(size="base-plus"), ("facebook/sam2.1-hiera-base-plus", "Apache-2.0", "MB")),
        (sam3, sam3.Config(), ("facebook/sam3", "SAM License", "gated", "weights fetch sam3")),
    ],
)
def test_missing_weights_say_what_to_fetch(module, config, parts):
    with pytest.raises(weights.MissingWeights) as caught:
        module.build(config)
    assert all(part in str(caught.value) for part in parts)


def test_bad_settings_name_the_choices(folders, tmp_path):
    for options, message in (
        ({"prompt": "text"}, "prompt must be one of auto, points, box, got 'text'"),
        ({"candidate": "0"}, "candidate must be one of whole, best"),
        ({"size": "giant"}, "size must be one of base, large, huge"),
        ({"precision": "int8"}, "precision must be one of fp32"),
    ):
        with pytest.raises(ValueError, match=message):
            build(folders, "sam", **options)
    with pytest.raises(ValueError, match=r"sam2 holds a model of type 'sam2', expected sam"):
        sam.build(sam.Config(weights=str(folders / "sam2")))
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        (bare / name).symlink_to(folders / "sam3" / name)
    with pytest.raises(ValueError, match=r"bare holds no CLIP tokenizer"):
        sam3.build(sam3.Config(weights=str(bare)))


def test_a_transformers_that_is_too_old_is_named_with_the_version_that_is_needed(folders, monkeypatch):
    older = SimpleNamespace(__version__="4.45.2", SamModel=transformers.SamModel)
    monkeypatch.setattr(networks, "transformers", older)
    wanted = r"transformers 4\.45\.2 has no Sam2Model: pip install -U .*\[foundation\]' 'transformers>=4\.56'"
    with pytest.raises(ImportError, match=wanted):
        build(folders, "sam2")
    build(folders, "sam")
