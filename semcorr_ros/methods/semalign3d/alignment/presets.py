"""Named settings: ours, and the paper's own form for its tables."""

from __future__ import annotations

from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, schedules
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.select import SelectConfig

PRESETS = ("fast", "paper", "tracking")


def preset(name: str, category: str = "") -> AlignmentConfig:
    """Look up settings by name; the paper's depend on the category (Table 5 singles out bottles).

    "tracking" searches like "fast"; whoever has a stream follows its objects with tracking.py.

    Raises ValueError listing the choices.
    """
    if name in ("fast", "tracking"):
        return AlignmentConfig()
    if name == "paper":
        plan = schedules.PAPER_BOTTLE if category == "bottle" else schedules.PAPER
        return AlignmentConfig(
            evidence=EvidenceConfig(one_sided=False, relief_trust=0.0, visibility=False, around=None),
            initialize=InitializeConfig(scored=False),
            objective=ObjectiveConfig(schedules=plan),
            optimize=OptimizeConfig(parametrization="free_keypoints", lr=5e-3, steps=1000, survivors=()),
            select=SelectConfig(empty=0.0),
            turning=None,
        )
    raise ValueError(f"unknown preset {name!r}; available: {', '.join(PRESETS)}")
