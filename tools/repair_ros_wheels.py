"""Repair the CMake targets exported by the ROS 2 wheels of this interpreter's environment.

Their message packages name the Python and NumPy include folders of the machine that built the
wheels (/opt/python/cpXY-cpXY/...), so a package that generates messages fails to configure.
Run with the environment's Python; running it twice changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

PYTHON_INCLUDE = re.compile(r"/opt/python/cp[^/]+/include/python[0-9.]+")
NUMPY_INCLUDE = re.compile(r"/opt/python/cp[^/]+/lib/python[0-9.]+/site-packages/numpy/_?core/include")


def repair(text: str, python_include: str, numpy_include: str) -> str:
    """Replace the include folders in exported targets by this interpreter's."""
    return NUMPY_INCLUDE.sub(numpy_include, PYTHON_INCLUDE.sub(python_include, text))


def main() -> int:
    """Repair every export file below sys.prefix; return 1 if a foreign folder is left."""
    broken = []
    for path in Path(sys.prefix, "share").glob("*/cmake/*__rosidl_generator_pyExport*.cmake"):
        text = path.read_text()
        repaired = repair(text, sysconfig.get_path("include"), numpy.get_include())
        if repaired != text:
            path.write_text(repaired)
        if "/opt/python/" in repaired:
            broken.append(str(path))
    if broken:
        print(f"still names the wheel builder's folders: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
