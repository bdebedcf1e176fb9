"""SPair-71k (Min et al. 2019) and every data set written in its layout.

JPEGImages/<category>/<stem>.jpg          Segmentation/<category>/<stem>.png   (optional)
ImageAnnotation/<category>/<stem>.json    Depth/<category>/<stem>.png | .npy   (optional)
PairAnnotation/{trn,val,test}/NNNNNN-<source>-<target>:<category>.json
Layout/{large,small}/{trn,val,test}.txt   Cameras/<category>/<stem>.json       (optional)
classes.json: {category: {keypoint_names, flip, flat, symmetric, edges}}       (optional)
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import Any

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format, _class_facts
from semcorr_ros.datasets import _spair71k_files as files
from semcorr_ros.datasets._listed import SPLITS
from semcorr_ros.files.camera import read_camera
from semcorr_ros.storage import read_json

DEPTH_FILES = "Depth/<category>/<stem>.png or .npy"


def build(root: Path) -> SPair71k:
    """Open a folder. Raises FileNotFoundError saying what was expected and what is there."""
    return SPair71k(Path(root))


PLUGIN = Format(build, depth_files=DEPTH_FILES)


class SPair71k:
    """Images, pairs and category facts of one folder; JSON files are read once, on demand."""

    def __init__(self, root: Path) -> None:
        if not (root / "ImageAnnotation").is_dir():
            found = ", ".join(sorted(path.name for path in root.iterdir())) if root.is_dir() else "no folder"
            raise FileNotFoundError(
                f"{root} is not an SPair-71k folder: expected ImageAnnotation/, JPEGImages/ and"
                f" PairAnnotation/ in it, found {found or 'nothing'}"
            )
        self.root = root
        self._problems: dict[str, None] = {}  # a set that keeps the order
        self._annotations: dict[str, dict[str, Any]] = {}
        self._pair_files: dict[str, dict[str, list[Path]]] = {}

    def categories(self) -> list[str]:
        """List the categories found under the root, sorted."""
        return sorted(path.name for path in (self.root / "ImageAnnotation").iterdir() if path.is_dir())

    def info(self, category: str) -> CategoryInfo:
        """Return names, flip table and flags: from `classes.json`, else the known facts of SPair's 18."""
        counts = [files.keypoint_count(content) for content in self._annotation_of(category).values()]
        count = max(counts, default=0)
        if category in self._classes:
            return _class_facts.from_entry(category, self._classes[category], count)
        return _class_facts.from_spair(category, count)

    def images(self, category: str, split: str) -> list[AnnotatedImage]:
        """List the images of a split, sorted by name; unreadable ones are skipped and noted in `problems`."""
        count = len(self.info(category).keypoint_names)
        annotations = self._annotation_of(category)
        samples = []
        for name in sorted(self._names(category, split)):
            where = f"ImageAnnotation/{category}/{name}.json"
            if name not in annotations:
                self._note(f"{where}: skipped, missing or unreadable")
                continue
            try:
                sample = files.annotated_image(self.root, category, name, annotations[name], count)
                samples.append(self._with_camera(sample))
            except (ValueError, FileNotFoundError) as error:
                self._note(f"{where}: skipped, {error}")
        return samples

    def pairs(self, category: str, split: str) -> list[ImagePair]:
        """List the benchmark pairs of a split, sorted by file name."""
        self._annotation_of(category)  # an unknown category is an error, not an empty list
        return [pair for _, pair in self._parsed_pairs(category, split, files.image_pair)]

    def problems(self) -> list[str]:
        """List what was skipped so far, one sentence each, naming the file and the reason."""
        return list(self._problems)

    @cached_property
    def _classes(self) -> dict[str, Any]:
        path = self.root / "classes.json"
        content = read_json(path) if path.is_file() else {}
        if not isinstance(content, dict):
            raise ValueError(f"{path}: expected an object keyed by category, got {type(content).__name__}")
        return content

    def _annotation_of(self, category: str) -> dict[str, Any]:
        """Read the readable ImageAnnotation contents of a category, by file stem."""
        if category not in self._annotations:
            if category not in self.categories():
                found = ", ".join(self.categories()) or "none"
                raise ValueError(
                    f"no category {category!r} in {self.root / 'ImageAnnotation'}; found {found}"
                )
            paths = sorted((self.root / "ImageAnnotation" / category).glob("*.json"))
            self._annotations[category] = dict(self._parsed(paths, _checked_annotation))
        return self._annotations[category]

    def _names(self, category: str, split: str) -> set[str]:
        """List the stems of a split: of its pairs, else of its layout, else (trn only) all unclaimed
        images."""
        annotations = self._annotation_of(category)
        names = self._paired_names(category, split)
        if names or split != "trn":
            return names
        names = set(annotations) - self._paired_names(category, "val") - self._paired_names(category, "test")
        self._note(
            f"PairAnnotation/trn: no pairs of {category!r};"
            f" using the {len(names)} images of ImageAnnotation/{category} that are not in val or test"
        )
        return names

    def _paired_names(self, category: str, split: str) -> set[str]:
        found = self._parsed_pairs(category, split, files.pair_names)
        return {name for _, pair in found for name in pair} or self._layout_names(category, split)

    def _layout_names(self, category: str, split: str) -> set[str]:
        for size in ("large", "small"):
            path = self.root / "Layout" / size / f"{split}.txt"
            lines = path.read_text().split() if path.is_file() else []
            stems = [line.rpartition(":")[0] for line in lines if line.endswith(f":{category}")]
            # A stem may itself hold dashes: only a line that splits in three is unambiguous.
            names = {name for stem in stems if len(part := stem.split("-")) == 3 for name in part[1:]}
            if names:
                return names
        return set()

    def _parsed_pairs(self, category: str, split: str, parse: Any) -> list[tuple[str, Any]]:
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
        if split not in self._pair_files:
            by_category: dict[str, list[Path]] = {}
            for path in sorted((self.root / "PairAnnotation" / split).glob("*.json")):
                by_category.setdefault(path.stem.rpartition(":")[2], []).append(path)
            self._pair_files[split] = by_category
        return self._parsed(self._pair_files[split].get(category, []), parse)

    def _parsed(self, paths: list[Path], parse: Any) -> list[tuple[str, Any]]:
        """List (stem, parse(content)) of every file that can be read; the others become problems."""
        results = []
        for path in paths:
            try:
                results.append((path.stem, parse(read_json(path))))
            except (ValueError, OSError) as error:
                self._note(f"{path.relative_to(self.root)}: skipped, {error}")
        return results

    def _with_camera(self, sample: AnnotatedImage) -> AnnotatedImage:
        path = self.root / "Cameras" / sample.category / f"{sample.name}.json"
        if not path.is_file():
            return sample
        try:
            return dataclasses.replace(sample, camera=read_camera(path, sample.size))
        except ValueError as error:
            self._note(f"camera ignored, {error}")
            return sample

    def _note(self, problem: str) -> None:
        self._problems[problem] = None


def _checked_annotation(content: Any) -> Any:
    files.keypoint_count(content)
    return content
