"""Ways of finding a class in an image: one file or folder each, found by name.

A method is a module that says `PLUGIN = Method(...)`. A class file names its method in its header; without a
name it is SemAlign3D's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera, CategoryInfo, Correspondences, Observation, Pose, Prototypes
from semcorr_ros.backbones import MADE_BY, WEIGHTS, Origin, options_of
from semcorr_ros.registry import Registry
from semcorr_ros.storage import read_header

SCHEMA = "semcorr_ros.class"  # of every method's class files
DEFAULT = "semalign3d"
OWN = "aligned"  # what `--method` calls the method of the class file

StepCallback = Callable[[int, int, float], bool]  # step, steps, lowest energy; False: stop and rank


@dataclass(frozen=True)
class Quality:
    """How thoroughly a class is placed."""

    name: str = "fast"  # a preset of the method, or a YAML file
    without: tuple[str, ...] = ()  # terms of the energy that are left out
    matcher: str = ""  # how pixels are carried over, where a method has several ways; empty: the preset's


FAST = Quality()


@dataclass(frozen=True)
class Search:
    """What one placement runs with."""

    generator: torch.Generator  # on the CPU: the same draws on every device
    on_step: StepCallback | None = None


@dataclass(frozen=True)
class Shape:
    """A placed class as geometry, for pictures. Camera frame, depth units."""

    keypoints: Float[Tensor, "keypoint 3"]
    surface: Float[Tensor, "point 3"]
    canonical: Float[Tensor, "point 3"]  # the same points in the class's own frame
    known: tuple[bool, ...]  # keypoints that were ever annotated
    camera: Camera


AnyPlaced = TypeVar("AnyPlaced", bound="Placed")


class Placed(Protocol):
    """A model placed in an observation."""

    @property
    def seen(self) -> Observation: ...

    @property
    def confidence(self) -> float:
        """In [0, 1]; 1 for a method that does not judge itself."""
        ...

    @property
    def judges(self) -> bool:
        """Whether its confidence and scores say how likely it is right; else nothing is refused by them."""
        ...

    @property
    def pose(self) -> Pose | None:
        """Pose of the class; None for a method without one."""
        ...

    @property
    def shape(self) -> Shape | None:
        """Geometry to draw; None for a method without one."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """What the method says besides, JSON-ready."""
        ...

    @property
    def caveat(self) -> str:
        """What cannot be told of this placement, a sentence; empty: nothing."""
        ...

    def keypoints(self, ids: Int[Tensor, "point"]) -> Correspondences:
        """Locate keypoints of the class. Raises ValueError for a method that knows none."""
        ...

    def carry(self: AnyPlaced, points: Float[Tensor, "point 2"], target: AnyPlaced) -> Correspondences:
        """Carry pixels of this observation over to another one in which the same model is placed."""
        ...

    def similarity(
        self: AnyPlaced, points: Float[Tensor, "point 2"], target: AnyPlaced
    ) -> Float[Tensor, "point height width"]:
        """Rate every cell of the target for every pixel of this observation (what KAP ranks)."""
        ...


class Model(Protocol):
    """A class that can be placed in observations."""

    @property
    def info(self) -> CategoryInfo: ...

    @property
    def backbone(self) -> str:
        """FeatureMap.backbone of the class; empty: any."""
        ...

    @property
    def provenance(self) -> dict[str, str]: ...

    @property
    def recognizes(self) -> bool:
        """Whether it says where objects are: then they are looked for, and must be found."""
        ...

    @property
    def prototypes(self) -> Prototypes:
        """Features that the class is recognised by: what masks need."""
        ...

    def prototypes_at(self, side: float) -> Prototypes:
        """Return the features that objects `side` pixels large are recognised by."""
        ...

    @property
    def diameter(self) -> float:
        """Largest extent in metres; 0 = unknown."""
        ...

    @property
    def metric_scale(self) -> float:
        """Metres per canonical unit; 0 = unknown."""
        ...

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the keypoints that were ever annotated."""
        ...

    def of(self, category: str) -> Model:
        """Return the model for a category, where a file holds several; itself where it holds one."""
        ...

    def with_size(self, metric_scale: float) -> Model:
        """Return the same class with another metric size."""
        ...

    def place(self, seen: Observation, search: Search) -> Placed:
        """Place the class. Raises NotFoundError, BackboneMismatchError."""
        ...

    def follow(self, seen: Observation, last: Placed | None, search: Search) -> Placed:
        """Place the class from where it was in the last picture; search anew where it is lost."""
        ...

    def store(self, path: Path, placed: Placed) -> None:
        """Write a placement, atomically; nothing where placing costs nothing."""
        ...

    def restore(self, path: Path, seen: Observation) -> Placed | None:
        """Read a placement of this observation; None where there is none. Raises ValueError if damaged."""
        ...


@dataclass(frozen=True)
class Method:
    """What a file or folder of this room calls PLUGIN."""

    # Read a class file onto a device; without a path, for methods that need none. Raises FileNotFoundError,
    # ValueError for a damaged file and one of another kind or version.
    load: Callable[[Path | None, str, Quality], Model]
    check: Callable[[Quality], None]  # raises ValueError for a quality that the method does not have
    needs_class: bool = True  # False: it compares features of whole images


METHODS = Registry(__name__, Method)


def method_of(path: str | Path) -> str:
    """Read which method a class file is of. Raises FileNotFoundError, ValueError for a damaged file."""
    header = read_header(path)
    return str(header.get("method", DEFAULT)) if isinstance(header, dict) else DEFAULT


def categories_of(path: str | Path) -> list[str]:
    """Read which categories a file holds: one, or several where its method learns them together.

    Raises as `read_origin`.
    """
    header = read_header(path)
    check_schema(path, header)
    try:
        listed = [str(one["name"]) for one in header.get("categories") or ()]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: its header lacks or garbles {error}") from error
    return listed or [read_origin(path).category]


def read_origin(path: str | Path) -> Origin:
    """Read what a class was built on, from the header alone. Raises as `load`."""
    header = read_header(path)
    check_schema(path, header)
    try:
        category, backbone, provenance = header["category"], header["backbone"], header["provenance"]
        made_by, weights = provenance.get(MADE_BY, Origin.made_by), provenance.get(WEIGHTS, "")
        options, folder = options_of(provenance), Path(path).parent
        return Origin(str(category), str(backbone), options, str(made_by), str(weights), folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: its header lacks or garbles {error}") from error


def info_header(info: CategoryInfo) -> dict[str, Any]:
    """Describe a category in the header of a class file, all but its name."""
    return {
        "keypoint_names": list(info.keypoint_names),
        "flip": None if info.flip is None else list(info.flip),
        "flat": info.flat,
        "symmetric": info.symmetric,
        "edges": [list(edge) for edge in info.edges],
    }


def info_from(name: str, header: dict[str, Any]) -> CategoryInfo:
    """Read what `info_header` wrote. Raises KeyError, TypeError, ValueError."""
    return CategoryInfo(
        name=name,
        keypoint_names=tuple(header["keypoint_names"]),
        flip=None if header["flip"] is None else tuple(header["flip"]),
        flat=bool(header["flat"]),
        symmetric=bool(header["symmetric"]),
        edges=tuple((int(i), int(j)) for i, j in header["edges"]),
    )


def check_schema(path: str | Path, header: Any) -> None:
    """Raises ValueError for a file that is no class file."""
    schema = header.get("schema") if isinstance(header, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"{path} is not a class file (schema {schema!r}, expected {SCHEMA!r})")


def load(path: str | Path, device: str = "cpu", quality: Quality = FAST) -> Model:
    """Read a class file by the method that it names.

    Raises FileNotFoundError, ValueError for a damaged file, one of another kind, version or method, and one
    of several classes.
    """
    name = method_of(path)
    if name not in METHODS.names():
        raise ValueError(f"{path} is of method {name!r}, this package has {', '.join(METHODS.names())}")
    held = categories_of(path)
    if not any(held):
        raise ValueError(f"{path} holds no class")
    if len(held) > 1:
        raise ValueError(
            f"{path} holds the classes {', '.join(held)}: give a file of one (train_sphere --split-dir "
            "writes them)"
        )
    return METHODS.load(name).load(Path(path), device, quality)
