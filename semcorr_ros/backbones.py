"""Which backbone is meant where none is named, and what is said where two do not fit together."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.artifacts import Built
from semcorr_ros.errors import BackboneMismatchError
from semcorr_ros.features import FEATURES
from semcorr_ros.provider_options import DEFAULT_BACKBONE as DEFAULT

RENDERED_ONLY = ("tiny",)  # trained on rendered images: on photographs they are confident and wrong
OPTIONS, WEIGHTS = "backbone_options", "backbone_weights"  # keys of a class's provenance
MADE_BY = "made_by"


@dataclass(frozen=True)
class Origin:
    """What the header of a class file says about the features that the class was built on."""

    category: str
    backbone: str  # "<name>:<fingerprint>"
    options: tuple[str, ...] | None  # KEY=VALUE settings of the backbone; None: built before they were kept
    made_by: str = "build_class"  # verb
    weights: str = ""  # name of the file or folder that was given for them; empty: the backbone's own
    folder: Path | None = None  # of the class file

    @property
    def name(self) -> str:
        """Of the plug-in."""
        return name_of(self.backbone)


def name_of(backbone: str) -> str:
    """Return the plug-in name of "<name>:<fingerprint>"."""
    return backbone.partition(":")[0]


def kept_options(texts: Iterable[str], weights: str = "") -> dict[str, str]:
    """Return the provenance entries for these KEY=VALUE settings and weights, without paths: they differ
    between machines, and class files must be byte-identical."""
    kept = sorted(text for text in texts if not text.partition("=")[0].endswith("weights"))
    named = {WEIGHTS: Path(weights).resolve().name} if weights and Path(weights).exists() else {}
    return {OPTIONS: shlex.join(kept), **named}


def options_of(provenance: Mapping[str, str]) -> tuple[str, ...] | None:
    """Read the settings that `kept_options` wrote; None for a class built before they were stored."""
    text = provenance.get(OPTIONS)
    return None if text is None else tuple(shlex.split(text))


def origin_of(model: Built) -> Origin:
    """Return the origin of a loaded class."""
    made_by = model.provenance.get(MADE_BY, Origin.made_by)
    weights = model.provenance.get(WEIGHTS, "")
    return Origin(model.info.name, model.backbone, options_of(model.provenance), made_by, weights)


def weights_beside(origin: Origin | None, name: str) -> str:
    """Find the weights of backbone `name` beside the class file that was built with them; empty if there are
    none."""
    if origin is None or origin.name != name or not origin.weights or origin.folder is None:
        return ""
    path = origin.folder / Path(origin.weights).name
    return str(path) if path.exists() else ""


def check(model: Built, computed: str, path: str | Path = "") -> None:
    """Compare a class with features. Raises BackboneMismatchError unless they are of its backbone."""
    if model.backbone not in ("", computed):
        raise BackboneMismatchError(mismatch(origin_of(model), computed, path))


def chosen(given: str, built_on: Origin | None) -> str:
    """Choose the backbone plug-in: the given one, else that of the class. Raises ValueError if there is no
    such plug-in."""
    if given or built_on is None:
        return given or DEFAULT
    if built_on.name not in FEATURES.names():
        raise ValueError(
            f"class {built_on.category!r} was built on backbone {built_on.backbone!r}, which is none of "
            f"{', '.join(FEATURES.names())}; name one with the same features, "
            "or rebuild the class"
        )
    return built_on.name


def with_those_of(origin: Origin | None, name: str, given: Iterable[str]) -> list[str]:
    """Merge KEY=VALUE settings for backbone `name`: the given ones, then those of a class built on it."""
    given = list(given)
    if origin is None or origin.name != name:
        return given
    taken = {text.partition("=")[0] for text in given}
    return given + [text for text in origin.options or () if text.partition("=")[0] not in taken]


def mismatch(origin: Origin, computed: str, path: str | Path = "") -> str:
    """Explain why a class and features of another backbone cannot be compared, with two remedies."""
    what = f"{path} (class {origin.category!r})" if path else f"class {origin.category!r}"
    name = name_of(computed)
    rebuild = (
        f"python -m semcorr_ros {origin.made_by} --backbone {name} --root DATA --category {origin.category} "
        f"--output {path or f'{origin.category}.safetensors'}"
    )
    return (
        f"{what} was built on backbone {origin.backbone!r}, but the images are encoded by {computed!r}: "
        f"{_way_back(origin, name)}, or rebuild the class: {rebuild}"
    )


def _way_back(origin: Origin, name: str) -> str:
    if name != origin.name:
        return "leave the backbone unset to use the class's own"
    if origin.options is None:
        return (
            "same network, other weights or settings; this class does not say which, so give the weights "
            "and backbone options (such as size=0 or side=320) that it was built with"
        )
    settings = " ".join(origin.options) or "none but the defaults"
    return (
        "same network, other weights or settings; give the weights and backbone options that it was built "
        f"with (options: {settings})"
    )


def beware(backbone: str) -> str:
    """Return the warning about using a backbone on photographs; empty where that is fine."""
    name = name_of(backbone)
    if name not in RENDERED_ONLY:
        return ""
    return (
        f"the backbone {name!r} knows rendered images only: on photographs it is confident and wrong. For "
        "real pictures and cameras build the class with: "
        f"python -m semcorr_ros build_class --backbone {DEFAULT} --root DATA --category NAME "
        "--output NAME.safetensors"
    )
