"""Category-level semantic correspondence for robots.

import semcorr_ros
mug = semcorr_ros.load("mug.safetensors")
answer = mug.find(rgb, depth=metres, K=camera_matrix)      # depth and K are optional
print(answer.names, answer.pixels, answer.xyz, answer.pose)
semcorr_ros.draw(answer, rgb)                              # RGB, uint8
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# A source checkout, a pip install and the colcon install space (which holds the generated
# `semcorr_ros.msg` and `semcorr_ros.srv`) may all be on sys.path: let them overlap.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)

__version__ = "0.1.0"
__all__ = ["Answer", "LoadedClass", "draw", "load"]

if TYPE_CHECKING:
    from semcorr_ros.answer import Answer
    from semcorr_ros.api import LoadedClass, draw, load


def __getattr__(name: str) -> Any:
    """Import on demand: the package itself must not load torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__("importlib").import_module("semcorr_ros.api")
    return getattr(module, name)
