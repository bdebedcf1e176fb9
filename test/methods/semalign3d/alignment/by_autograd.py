"""What engines with kernels of their own are held to: the same evidence, the objective by autograd."""

from dataclasses import replace

import torch

from semcorr_ros.devices import moved
from semcorr_ros.methods.semalign3d.alignment import (
    AlignmentConfig,
    initialize,
    objective,
    reference,
)
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.parametrizations import FreeKeypoints, ShapeSpace
from test.methods.semalign3d.alignment import fabricated

CONFIG = AlignmentConfig()


def evidence_of(model, camera=True, depth=True, visibility=True):
    """Of one fabricated image, on the class's device."""
    seen, _ = fabricated.observe(moved(model, "cpu"), 70, 25, (0.5, -1.0))
    seen = replace(seen, camera=seen.camera if camera else None, depth=seen.depth if depth else None)
    there = moved(seen, model.sparse.device)
    generator = torch.Generator().manual_seed(1)
    return gather_evidence(model, there, EvidenceConfig(visibility=visibility), generator)


def starts(model, seen, count):
    return initialize.choose_starts(
        model, seen, InitializeConfig(count=count), torch.Generator().manual_seed(2), reference.score
    )


def shaken(rows):
    """Numbers away from any optimum, where no gradient is small, and from angles that are nearly straight,
    where its rounding is not."""
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(5))
    return rows + 0.03 * noise.to(rows)


def value_and_gradient(model, seen, search, parametrization, terms):
    """Of the objective at step 200 over all image points; search: (numbers, surface) of the hypotheses."""
    rows, surface = search[0].clone().requires_grad_(), search[1]
    when = 200 * 1000.0 / CONFIG.optimize.steps
    sigmas = objective.sigmas_at(terms, when, seen)
    keypoints = _unpacked(model, rows, parametrization).keypoints(model)
    state = objective.make_state(model, keypoints, (rows[:, -1].exp(), surface), seen, sigmas)
    total, _ = objective.evaluate(state, seen, model, objective.weights_at(terms, when))
    (gradient,) = torch.autograd.grad(total.sum(), rows)
    return total.detach(), gradient


def _unpacked(model, rows, parametrization):
    keypoints = model.sparse.shape
    if parametrization == "free_keypoints":
        return FreeKeypoints(rows[:, :-1].reshape(-1, *keypoints))
    m = len(model.shape_modes)
    return ShapeSpace(
        rows[:, :4], rows[:, 4:7], rows[:, 7], rows[:, 8 : 8 + m], rows[:, 8 + m : -1].reshape(-1, *keypoints)
    )
