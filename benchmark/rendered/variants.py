"""What is compared: matchers, and the alignment with one thing changed at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from semcorr_ros.methods import DEFAULT, METHODS
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.objective import SCHEDULE_OF_TERM
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
FEWEST = 0.2


def variants(category: str) -> dict[str, Variant]:
    """All rows by name, for one category (Table 5 of the paper singles out bottles)."""
    ours = AlignmentConfig()
    rows = {name: Variant(name) for name in METHODS.names() if name != DEFAULT}
    rows["aligned"] = Variant("aligned", ours)
    rows["aligned, fewer images"] = Variant("aligned", ours, share=FEWER)  # what ablations compare with
    rows["paper"] = Variant("aligned", preset("paper", category), share=FEWEST)
    for term in SCHEDULE_OF_TERM:
        kept = tuple(name for name in ours.objective.terms if name != term)
        if term != "symmetry":
            rows[f"without {term}"] = Variant(
                "aligned", replace(ours, objective=replace(ours.objective, terms=kept)), share=FEWER
            )
    rows["without visibility"] = Variant(
        "aligned", replace(ours, evidence=replace(ours.evidence, visibility=False)), share=FEWER
    )
    free = replace(ours.optimize, parametrization="free_keypoints")
    rows["free keypoints"] = Variant("aligned", replace(ours, optimize=free), share=FEWER)
    rows["without depth sensor"] = Variant("aligned", ours, depth=False, share=FEWER)
    rows["without known camera"] = Variant("aligned", ours, camera=False, share=FEWER)
    rows["masks by attention"] = Variant("aligned", ours, masks="attention", share=FEWER)
    return rows


MAIN = ("nearest_neighbor", "window_soft_argmax", "aligned")
