"""Let this environment's Python find the colcon install space without sourcing it.

`make setup` copies this file into the site-packages of .venv beside a .pth that imports it, so it
runs at every start of that Python. Importing generated messages needs two things that an
`install/setup.bash` would set: sys.path (the .pth does that) and LD_LIBRARY_PATH, which the loader
reads only when a process starts, because rosidl opens its type-support libraries by bare name.
Hence one re-execution. The ROS wheels bring a bootstrapper of the same kind for their own
libraries; where it is installed it is left to do the single re-execution for both.
"""

import importlib.util
import os
import sys

PREFIX = "@PREFIX@"
GUARD = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"


def _prepend(name: str, value: str) -> bool:
    parts = [part for part in os.environ.get(name, "").split(os.pathsep) if part]
    if value in parts:
        return False
    os.environ[name] = os.pathsep.join([value, *parts])
    return True


def _activate() -> None:
    if not os.path.isdir(os.path.join(PREFIX, "lib")):
        return
    _prepend("AMENT_PREFIX_PATH", PREFIX)
    if not _prepend("LD_LIBRARY_PATH", os.path.join(PREFIX, "lib")):
        return
    os.environ.pop(GUARD, None)  # inherited from another environment: its libraries are not ours
    if importlib.util.find_spec("ros_wheels_bootstrapper") is None:
        os.execve(sys.executable, sys.orig_argv, os.environ)


_activate()
