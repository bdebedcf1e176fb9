"""What is said and written where no answer is given."""

from __future__ import annotations

import sys

from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import Refusal

REFUSED = 1  # exit status


def refused_json(refusal: Refusal | None) -> dict[str, str] | None:
    """Convert a refusal to {"code", "reason"}; None where there is none."""
    return None if refusal is None else {"code": refusal.code.name, "reason": refusal.message}


def say_refused(verb: str, refusal: Refusal, picture: object) -> None:
    """Print one line to stderr: the reason and its remedy."""
    fix = REASONS[refusal.code].fix
    print(f"semcorr_ros {verb}: {picture}: {refusal.code.name}, {refusal.message}; {fix}", file=sys.stderr)
