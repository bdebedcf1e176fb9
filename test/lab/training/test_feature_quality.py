import pytest
import torch
from lab.training.fabricated import table_sample
from lab.training.test_tiny_targets import fabricated_codebook
from torch.nn import functional

from semcorr_lab.training.feature_quality import folded_groups, quality
from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features._tiny_network import CHANNELS


def _oracle(samples, codebook):
    """An extractor that knows the truth of each picture."""
    known = {id(s.image): s for s in samples}

    def encode(image):
        s = known[id(image)]
        values = codebook.embed(s.category, s.name.flatten().long(), s.local.reshape(-1, 3).float())
        return FeatureMap(values.reshape(*s.name.shape, -1), tuple(image.shape[:2]), "oracle:1")

    return encode


def test_the_truth_scores_full_marks_and_noise_does_not():
    samples, codebook = [table_sample(i) for i in range(6)], fabricated_codebook()
    best = quality(_oracle(samples, codebook), samples, codebook)
    assert best.folded == best.pck == 1
    assert best.auc > 0.99
    assert best.matches == 6 * 3 * 4
    generator = torch.Generator().manual_seed(0)

    def noise(image):
        values = functional.normalize(torch.randn(20, 20, CHANNELS, generator=generator), dim=-1)
        return FeatureMap(values, tuple(image.shape[:2]), "noise:1")

    worst = quality(noise, samples, codebook)
    assert worst.folded < 0.3
    assert abs(worst.auc - 0.5) < 0.2


def test_keypoints_of_one_folded_place_are_one_group():
    samples, codebook = [table_sample(i) for i in range(2)], fabricated_codebook()
    assert torch.equal(folded_groups(samples, codebook), torch.eye(4, dtype=torch.bool))
    for sample in samples:
        sample.keypoint_local[1] = sample.keypoint_local[0]
    assert folded_groups(samples, codebook)[0].tolist() == [True, True, False, False]


def test_mixed_or_single_samples_are_refused():
    codebook = fabricated_codebook()
    with pytest.raises(ValueError, match="two samples of one category"):
        quality(lambda image: None, [table_sample(0)], codebook)
