"""Named settings: ours, and the paper's own form for its tables."""

from __future__ import annotations

<<<<<<< HEAD
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, schedules
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.select import SelectConfig
=======
from semcorr_ros import config
from semcorr_ros.methods.semalign3d.alignment import (
    Config,
    evidence,
    initialize,
    objective,
    optimize,
    schedules,
    select,
)
>>>>>>> options

PRESETS = ("fast", "paper", "tracking")


<<<<<<< HEAD
def preset(name: str, category: str = "") -> AlignmentConfig:
    """Look up settings by name; the paper's depend on the category (Table 5 singles out bottles).
=======
def constants(quality: str, category: str = "") -> Config:
    """Read the option `quality`: a preset's name, or a YAML file. Raises as `preset` and `config.load`."""
    if quality.endswith((".yaml", ".yml")):
        return config.load(Config, quality)
    return preset(quality, category)


def preset(name: str, category: str = "") -> Config:
    """Settings by name; the paper's depend on the category (Table 5 singles out bottles).
>>>>>>> options

    "tracking" searches like "fast"; whoever has a stream follows its objects with tracking.py.

    Raises ValueError listing the choices.
    """
    if name in ("fast", "tracking"):
        return AlignmentConfig()
    if name == "paper":
        plan = schedules.PAPER_BOTTLE if category == "bottle" else schedules.PAPER
        return AlignmentConfig(
            evidence=EvidenceConfig(one_sided=False, relief_trust=0.0, visibility=False),
            initialize=InitializeConfig(scored=False),
            objective=ObjectiveConfig(schedules=plan),
            optimize=OptimizeConfig(parametrization="free_keypoints", lr=5e-3, steps=1000, survivors=()),
            select=SelectConfig(),
        )
    raise ValueError(f"unknown preset {name!r}; available: {', '.join(PRESETS)}")
