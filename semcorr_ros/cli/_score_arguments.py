"""The argument that decides whether an answer is given, and what is said and written where it is not."""

from __future__ import annotations

import argparse
import sys

from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import Refusal
from semcorr_ros.sensing.judgement import MIN_SCORE, min_score_for

REFUSED = 1  # exit status


def add_min_score(parser: argparse.ArgumentParser) -> None:
    """--min-score."""
    parser.add_argument(
        "--min-score",
        type=float,
        metavar="X",
        help="confidence below which an object counts as not found, as the node's parameter "
        f"(default: that of the backbone, mostly {MIN_SCORE:g})",
    )


def min_score_from(args: argparse.Namespace, backbone: str) -> float:
    """Raises ValueError for a number that is no confidence."""
    if args.min_score is not None and not 0 <= args.min_score <= 1:
        raise ValueError(f"--min-score must be between 0 and 1, got {args.min_score}")
    return min_score_for(backbone, args.min_score)


def refused_json(refusal: Refusal | None) -> dict[str, str] | None:
    """{"code", "reason"}; null where there is an answer."""
    return None if refusal is None else {"code": refusal.code.name, "reason": refusal.message}


def say_refused(verb: str, refusal: Refusal, picture: object) -> None:
    """One line on stderr: why, and what to do about it."""
    fix = REASONS[refusal.code].fix
    print(f"semcorr_ros {verb}: {picture}: {refusal.code.name}, {refusal.message}; {fix}", file=sys.stderr)
