"""Named settings: ours, and the paper's own form for its tables."""

from __future__ import annotations

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

PRESETS = ("fast", "paper", "tracking")


def constants(quality: str, category: str = "") -> Config:
    """Read the option `quality`: a preset's name, or a YAML file. Raises as `preset` and `config.load`."""
    if quality.endswith((".yaml", ".yml")):
        return config.load(Config, quality)
    return preset(quality, category)


def preset(name: str, category: str = "") -> Config:
    """Settings by name; the paper's depend on the category (Table 5 singles out bottles).

    "tracking" searches like "fast"; whoever has a stream follows its objects with tracking.py.

    Raises ValueError listing the choices.
    """
    if name in ("fast", "tracking"):
        return Config()
    if name == "paper":
        plan = schedules.PAPER_BOTTLE if category == "bottle" else schedules.PAPER
        return Config(
            evidence=evidence.Config(one_sided=False, relief_trust=0.0, visibility=False),
            initialize=initialize.Config(scored=False),
            objective=objective.Config(schedules=plan),
            optimize=optimize.Config(parametrization="free_keypoints", lr=5e-3, steps=1000, survivors=()),
            select=select.Config(),
        )
    raise ValueError(f"unknown preset {name!r}; available: {', '.join(PRESETS)}")
