"""Say which extra brings a package that a verb needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from semcorr_ros.registry import EXTRAS


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Turn a missing package of an extra into an ImportError that says how to install it. what: needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if EXTRAS.get(package) != extra:
            raise
        raise ImportError(
            f"{what} needs the package {package!r}: pip install 'semcorr_ros[{extra}]'"
        ) from error
