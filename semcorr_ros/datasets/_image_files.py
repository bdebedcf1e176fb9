"""Where the pictures of an annotation file lie: tools record paths of their own machine, server or bucket."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio puts it before the name of an uploaded file
NO_PICTURES = ("mask", "masks", "depth", "depths", "segmentation", "segmentations", "annotations")  # folders


@dataclass(frozen=True)
class Found:
    """A picture, and how many trailing parts of the recorded path its own path shares."""

    path: Path
    agreeing: int


class ImageFiles:
    """All files under a folder, by name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] = {}
        for path in _files(root):
            self._by_name.setdefault(_folded(path.name), []).append(path)

    def find(self, recorded: str, annotations: Path) -> Found:
        """Find a picture by the path, address or key that the file `annotations` has for it.

        Of several of one name the one whose folders agree best is taken, then the one in a folder that the
        file's name speaks of, then the nearest to the file. Raises FileNotFoundError, or ValueError where two
        are as likely.
        """
        for parts in _spellings(recorded):
            there = self._by_name.get(_folded(parts[-1]), [])
            if there:
                return self._best(there, parts, annotations)
        raise FileNotFoundError(f"no image {recorded!r} under {self.root}")

    def _best(self, there: list[Path], parts: list[str], annotations: Path) -> Found:
        agreeing = [_agreement(path, parts) for path in there]
        most = max(agreeing)
        left = [path for path, count in zip(there, agreeing, strict=True) if count == most]
        left = [path for path in left if _named_by(path, annotations)] or left
        left = _nearest(left, annotations)
        left = [path for path in left if path.name == parts[-1]] or left  # in the same case
        left = [path for path in left if path.parent.name.lower() not in NO_PICTURES] or left
        if len(left) > 1:
            first, second = (path.relative_to(self.root) for path in left[:2])
            raise ValueError(
                f"{'/'.join(parts)!r} may be {first} or {second}: rename one, or name its folder"
            )
        return Found(left[0], most)


def _files(root: Path) -> Iterator[Path]:
    seen: set[str] = set()  # a link may lead back
    for folder, folders, names in os.walk(root, followlinks=True):
        here = os.path.realpath(folder)
        folders[:] = [] if here in seen else sorted(name for name in folders if not name.startswith("."))
        if here not in seen:
            yield from (Path(folder, name) for name in sorted(names) if not name.endswith(".json"))
        seen.add(here)


def _spellings(recorded: str) -> Iterator[list[str]]:
    """Yield the parts of what may be meant, the most literal first."""
    texts = [recorded]
    try:
        address = urlsplit(recorded)
        query = parse_qs(address.query).get("d", [""])[0]  # /data/local-files/?d=folder/m.jpg
        texts += [query] if query else [address.path]
    except ValueError:
        pass  # no address: an unbalanced bracket is allowed in a file's name
    texts += [unquote(text) for text in texts]
    for text in dict.fromkeys(texts):
        parts = _parts(text)
        if parts:
            yield parts
    for text in dict.fromkeys(texts):
        parts = _parts(text)
        if parts and UPLOADED.match(parts[-1]):
            yield [*parts[:-1], UPLOADED.sub("", parts[-1])]


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[/\\]", text.strip()) if part not in ("", ".", "..")]


def _agreement(path: Path, parts: list[str]) -> int:
    count = 0
    for own, recorded in zip(reversed(path.parts), reversed(parts), strict=False):
        if _folded(own) != _folded(recorded):
            break
        count += 1
    return count


def _named_by(path: Path, annotations: Path) -> bool:
    """person_keypoints_train2017.json speaks of train2017/, and so does annotations/train2017/a.json."""
    return path.parent.name in (*re.split(r"[^A-Za-z0-9-]+", annotations.stem), annotations.parent.name)


def _nearest(paths: list[Path], annotations: Path) -> list[Path]:
    """Keep those that share most folders with the file: train/images/ is of train/annotations/a.json."""
    own = annotations.resolve().parent
    shared = [len(Path(os.path.commonpath([own, path.resolve().parent])).parts) for path in paths]
    return [path for path, count in zip(paths, shared, strict=True) if count == max(shared)]


def _folded(name: str) -> str:
    """Make equal what file systems of other machines hold to be equal."""
    return unicodedata.normalize("NFC", name).casefold()
