"""Pictures that our renderer made say so in their files, so that a backbone that knows only them can tell."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from semcorr_ros.backbones import beware, name_of
from semcorr_ros.files.picture import header

LOG = logging.getLogger(__name__)
MARK = "rendered by semcorr_ros"  # JPEG comment, or PNG text of that name: same seed, same bytes
PNG_KEY = "Comment"
_warned: set[str] = set()  # backbones that were warned of: once per process


def save(picture: Image.Image, path: Path, **options: Any) -> None:
    """Write a rendered picture as JPEG or PNG, by the suffix, with the mark."""
    if path.suffix.lower() == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_text(PNG_KEY, MARK)
        options["pnginfo"] = text
    else:
        options["comment"] = MARK
    picture.save(path, **options)


def is_marked(path: Path) -> bool:
    """Tell whether an image has the mark; False also for a file that is no image: others report that."""
    try:
        with header(path) as picture:
            said = picture.info.get("comment", picture.info.get(PNG_KEY, ""))
    except (ValueError, FileNotFoundError):
        return False
    return MARK in (said.decode("latin-1") if isinstance(said, bytes) else str(said))


def warn_of_photograph(backbone: str, path: Path) -> None:
    """Warn, once per process, where a backbone trained on rendered images only is given an unmarked one.

    Data sets that older versions rendered have no mark: nothing is refused.
    """
    name = name_of(backbone)
    if name in _warned or not (sentence := beware(backbone)) or is_marked(path):
        return
    _warned.add(name)
    LOG.warning("%s is not marked as rendered by this version; %s", path, sentence)
