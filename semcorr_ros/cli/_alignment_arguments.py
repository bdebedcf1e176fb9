"""Arguments that choose the constants of the alignment."""

from __future__ import annotations

import argparse
from pathlib import Path

from semcorr_ros import config
from semcorr_ros.alignment import Config
from semcorr_ros.alignment.presets import PRESETS, preset


def add_alignment_arguments(parser: argparse.ArgumentParser) -> None:
    """--preset or --alignment."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--preset", default="default", choices=PRESETS, help="constants of the alignment (default: default)"
    )
    group.add_argument(
        "--alignment", type=Path, metavar="YAML", help="constants of the alignment from a file"
    )


def alignment_from(args: argparse.Namespace, category: str) -> Config:
    """The constants for a category. Raises ValueError or FileNotFoundError for a bad file."""
    return config.load(Config, args.alignment) if args.alignment else preset(args.preset, category)
