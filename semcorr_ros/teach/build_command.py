"""The process that builds a project's class: `build_class`, with what the page was started with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from semcorr_ros.teach.session import WORK
from semcorr_ros.teach.state import State

NETWORK = "--depth-network"  # of the page; `build_class` calls it --depth


def build_words(root: Path, state: State, files: tuple[Path, Path], own: Sequence[str]) -> list[str]:
    """Spell the command. files: of the class, and of progress; own: words for features, device and depth.

    Depth is measured where every confirmed picture has it, else lifted from the keypoints.
    """
    output, told = files
    words = [sys.executable, "-m", "semcorr_ros", "build_class", "--dataset", "folder", "--root", str(root)]
    words += ["--category", state.category, "--output", str(output), "--progress", str(told)]
    words += ["--feature-cache", str(root / WORK / "cache"), "--feature-cache-gb", "2"]
    given = ["--depth" if word == NETWORK else word for word in own]
    if "--depth" not in given:
        given += ["--depth", "sensor" if all(picture.depth for picture in state.done) else "keypoints"]
    return words + given
