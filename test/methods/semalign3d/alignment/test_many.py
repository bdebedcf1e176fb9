"""Several alignments at once are those of one at a time."""

from dataclasses import fields, replace

import pytest
import torch

from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import initialize, reference, stacked, together
from semcorr_ros.methods.semalign3d.alignment.many import align_many
from test.methods.semalign3d.alignment import fabricated

CONFIG = alignment.Config()
FEW = replace(CONFIG.optimize, steps=20, survivors=((0, 4), (500, 2)))


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def generators(count):
    return [torch.Generator().manual_seed(i) for i in range(count)]


def pictures(model, *azimuths):
    return [fabricated.observe(model, azimuth, 25, (0.5, -1.0))[0] for azimuth in azimuths]


def few(engine):
    return replace(CONFIG, engine=engine, optimize=FEW, initialize=replace(CONFIG.initialize, count=4))


@pytest.mark.parametrize("camera", [True, False])
@pytest.mark.parametrize("parametrization", ["shape_space", "free_keypoints"])
def test_a_shared_optimisation_is_each_image_s_own(model, parametrization, camera):
    seen = pictures(model, 20, 110, 200)
    seen = seen if camera else [replace(one, camera=None) for one in seen]
    clues = [alignment.gather(model, s, CONFIG, g) for s, g in zip(seen, generators(3), strict=True)]
    starts = [
        initialize.choose_starts(model, c, initialize.Config(count=8), g, reference.score)
        for c, g in zip(clues, generators(3), strict=True)
    ]
    configs = replace(FEW, parametrization=parametrization), CONFIG.objective
    expected = [
        reference.optimize(model, c, s, configs, g)
        for c, s, g in zip(clues, starts, generators(3), strict=True)
    ]
    found = together.optimize(model, clues, starts, configs, generators(3))
    assert [len(one.focal) for one in found] == [2, 2, 2]
    for one, other in zip(found, expected, strict=True):
        for field in fields(one):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_what_does_not_stack_has_another_kind(model):
    (seen,) = pictures(model, 40)
    others = [seen, replace(seen, camera=None), seen]
    configs = [CONFIG, CONFIG, replace(CONFIG, evidence=replace(CONFIG.evidence, visibility=False))]
    kinds = [
        stacked.kind(alignment.gather(model, s, c, g))
        for s, c, g in zip(others, configs, generators(3), strict=True)
    ]
    assert len(set(kinds)) == 3
    assert stacked.kind(alignment.gather(model, pictures(model, 90)[0], CONFIG, generators(1)[0])) == kinds[0]


@pytest.mark.parametrize(("engine", "tolerance"), [("auto", 0.0), ("reference", 1e-3)])
def test_images_and_classes_in_any_order(model, monkeypatch, engine, tolerance):
    shared = []
    optimize = together.optimize
    monkeypatch.setattr(together, "optimize", lambda *given: shared.append(len(given[1])) or optimize(*given))
    other = fabricated.make_class(keypoint_count=8)
    a, b, c = pictures(model, 20, 110, 200)
    jobs = [(model, a), (other, b), (model, replace(b, camera=None)), (model, c)]
    expected = [
        alignment.align(*job, few(engine), g) for job, g in zip(jobs, generators(len(jobs)), strict=True)
    ]
    found = align_many(jobs, few(engine), generators(len(jobs)))
    assert shared == ([] if engine == "auto" else [2, 1, 1])
    for one, alone in zip(found, expected, strict=True):
        torch.testing.assert_close(one.keypoints, alone.keypoints, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(one.energy, alone.energy, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_what_cannot_be_aligned_is_an_error(model, engine):
    (seen,) = pictures(model, 20)
    nothing = replace(seen, mask=torch.zeros_like(seen.mask))
    with pytest.raises(ValueError, match="mask is empty"):
        align_many([(model, seen), (model, nothing)], few(engine), generators(2))
    with pytest.raises(ValueError, match="2 alignments need as many generators, got 1"):
        align_many([(model, seen)] * 2, few(engine), generators(1))
