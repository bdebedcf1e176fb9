"""Named settings: ours, and the paper's own form for its tables."""

from __future__ import annotations

from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, schedules
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.select import SelectConfig
from semcorr_ros.methods.semalign3d.matching_config import MatchingConfig

PRESETS = ("fast", "paper", "tracking")

PAPER_EVIDENCE = EvidenceConfig(
    similarity_std_floor=0.0,
    upscale="similarities",
    one_sided=False,
    around=None,
    relief_trust=0.0,
    visibility=False,
    relative_depth=True,
)
# AdamW as Table 5 has it; decay as torch has it where nothing is said.
PAPER_OPTIMIZE = OptimizeConfig(
    parametrization="free_keypoints", lr=5e-3, weight_decay=0.01, steps=1000, survivors=()
)


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
            evidence=PAPER_EVIDENCE,
            initialize=InitializeConfig(scored=False),
            objective=ObjectiveConfig(schedules=plan),
            optimize=PAPER_OPTIMIZE,
            select=SelectConfig(empty=0.0),
            turning=None,
            matching=matching("paper", category),
        )
    raise ValueError(f"unknown preset {name!r}; available: {', '.join(PRESETS)}")


def matching(matcher: str, category: str) -> MatchingConfig:
    """Look up a matcher with its constants; the paper's sigma depends on the category (Table 5).

    Raises ValueError listing the choices.
    """
    if matcher == "paper":
        sigma = schedules.PAPER_MATCHING_SIGMA.get(category, schedules.PAPER_MATCHING_SIGMA_OTHER)
        return MatchingConfig(matcher, sigma)
    return MatchingConfig(matcher)
