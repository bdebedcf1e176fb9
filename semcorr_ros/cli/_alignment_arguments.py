"""Arguments that choose the constants of the alignment."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from semcorr_ros import config
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.objective import SCHEDULE_OF_TERM
from semcorr_ros.methods.semalign3d.alignment.presets import PRESETS, preset


def add_alignment_arguments(parser: argparse.ArgumentParser) -> None:
    """--quality or --alignment, and --without."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--quality",
        default="fast",
        choices=[name for name in PRESETS if name != "tracking"],  # single images have no past
        help="constants of the alignment: ours, or the paper's (default: fast)",
    )
    group.add_argument(
        "--alignment", type=Path, metavar="YAML", help="constants of the alignment from a file"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=SCHEDULE_OF_TERM,
        help="leave a term of the energy out, to see what it is worth; may be given several times",
    )


def alignment_from(args: argparse.Namespace, category: str) -> AlignmentConfig:
    """The constants for a category. Raises ValueError or FileNotFoundError for a bad file."""
    found = config.load(AlignmentConfig, args.alignment) if args.alignment else preset(args.quality, category)
    kept = tuple(term for term in found.objective.terms if term not in args.without)
    return replace(found, objective=replace(found.objective, terms=kept))
