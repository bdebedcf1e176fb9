"""What is compared: matchers, and the alignment with one thing changed at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from semcorr_ros.methods import DEFAULT, METHODS
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.presets import preset


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    matcher: str
    config: AlignmentConfig = field(default_factory=AlignmentConfig)
    depth: bool = True  # sensor depth is given
    camera: bool = True  # the focal length is given
    masks: str = "annotation"  # who says where the object is
    share: float = 1.0  # of the test images; slow or secondary rows take fewer


FEWER = 0.4
MAIN = ("nearest_neighbor", "window_soft_argmax", "aligned")
# Rows of Table 4 of SemAlign3D, and geometry, which it lacks; the paper knows no camera.
ABLATED = ("reconstruction_sparse", "reconstruction", "background", "depth", "geometry")
PUBLISHED = ("bottle", "chair", "tvmonitor")  # the categories of Table 4
UNKNOWN = ", camera unknown"
WEIGHTS, SIGMAS = (1.0, 3.0, 30.0), (0.04, 0.09)
CHOICES = (
    *(f"{form}, w_reconstruct {weight:g}" for weight in WEIGHTS for form in ("aligned", "paper")),
    *(f"aligned, sigma {sigma:g}" for sigma in SIGMAS),
)


def variants(category: str) -> dict[str, Variant]:
    """All rows by name, for one category (Table 5 of the paper singles out bottles)."""
    ours, paper = AlignmentConfig(), preset("paper", category)
    rows = {name: Variant(name) for name in METHODS.names() if name != DEFAULT}
    rows |= _table4("aligned", ours) | _table4("paper", paper)
    rows["paper, matched as ours"] = Variant("aligned", replace(paper, matching=ours.matching))
    rows["aligned, matched as the paper"] = Variant("aligned", replace(ours, matching=paper.matching))
    rows |= _choices(ours, paper)
    blind = replace(ours, evidence=replace(ours.evidence, visibility=False))
    rows["without visibility"] = Variant("aligned", blind, share=FEWER)
    free = replace(ours.optimize, parametrization="free_keypoints")
    rows["free keypoints"] = Variant("aligned", replace(ours, optimize=free), share=FEWER)
    rows["without depth sensor"] = Variant("aligned", ours, depth=False, share=FEWER)
    rows["masks by attention"] = Variant("aligned", ours, masks="attention", share=FEWER)
    return rows


def table4() -> tuple[str, ...]:
    """Name the rows of Table 4, in the paper's form and in ours: the features alone, one term less, all."""
    return ("nearest_neighbor", *_table4("paper", AlignmentConfig()), *_table4("aligned", AlignmentConfig()))


def _choices(ours: AlignmentConfig, paper: AlignmentConfig) -> dict[str, Variant]:
    """Neighbours of constants that no paper gives: by these rows, on validation images, they were chosen."""
    rows = {}
    for weight in WEIGHTS:
        for form, config in (("aligned", ours), ("paper", paper)):
            plan = replace(config.objective.schedules, reconstruct=((0, weight),))
            changed = replace(config, objective=replace(config.objective, schedules=plan))
            rows[f"{form}, w_reconstruct {weight:g}"] = Variant("aligned", changed)
    for sigma in SIGMAS:
        changed = replace(ours, matching=replace(ours.matching, sigma=sigma))
        rows[f"aligned, sigma {sigma:g}"] = Variant("aligned", changed)
    return rows


def _table4(name: str, config: AlignmentConfig) -> dict[str, Variant]:
    rows = {}
    for suffix, camera in (("", True), (UNKNOWN, False)):
        rows[f"{name}{suffix}"] = Variant("aligned", config, camera=camera)
        for term in ABLATED:
            kept = tuple(other for other in config.objective.terms if other != term)
            less = replace(config, objective=replace(config.objective, terms=kept))
            rows[f"{name} without {term}{suffix}"] = Variant("aligned", less, camera=camera)
    return rows
