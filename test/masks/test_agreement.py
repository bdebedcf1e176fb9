"""A given mask that cuts the recognised object off, or shows something else, costs confidence."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.masks import _agreement
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig


@pytest.fixture(scope="module")
def scene():
    model = fabricated.make_class()
    seen, _ = fabricated.observe(model, 40, 25)
    return model, replace(seen, mask_is_given=True)


def _halves(mask):
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    y, x = int(rows.float().mean()), int(columns.float().mean())
    for part in (slice(None), slice(0, x)), (slice(None), slice(x, None)), (slice(0, y), slice(None)):
        half = torch.zeros_like(mask)
        half[part] = mask[part]
        yield half


def test_the_whole_object_is_trusted(scene):
    model, seen = scene
    assert _agreement.trust(model, seen) == 1


def test_a_part_of_the_object_is_not(scene):
    model, seen = scene
    for half in _halves(seen.mask):
        assert _agreement.LEAST <= _agreement.trust(model, replace(seen, mask=half)) < 0.7


def test_what_lies_beside_the_object_is_trusted_least(scene):
    model, seen = scene
    beside = torch.zeros_like(seen.mask)
    beside[:5, :5] = True
    assert not (beside & seen.mask).any()
    assert _agreement.trust(model, replace(seen, mask=beside)) == _agreement.LEAST


def test_where_nothing_is_recognised_the_mask_stands_alone(scene):
    model, seen = scene
    plain = torch.zeros_like(seen.features.values)
    plain[..., -1] = 1
    assert _agreement.trust(model, replace(seen, features=replace(seen.features, values=plain))) == 1
    assert _agreement.trust(model, replace(seen, mask=None)) == 1


def test_trust_is_a_factor_of_the_confidence_of_given_masks_only(scene):
    model, seen = scene
    half = replace(seen, mask=next(_halves(seen.mask)))

    def confidence(observed):
        config = replace(AlignmentConfig(), optimize=replace(AlignmentConfig().optimize, steps=20))
        return float(alignment.align(model, observed, config, torch.Generator().manual_seed(0)).confidence[0])

    own, given = confidence(replace(half, mask_is_given=False)), confidence(half)
    assert given == pytest.approx(own * _agreement.trust(model, half))
    assert given < own
