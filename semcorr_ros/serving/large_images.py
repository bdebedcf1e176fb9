"""Fast DDS for images between the processes of a machine, set up by the process itself.

Its default shared-memory segment holds half a megabyte, less than a depth image of 640x480: every third one
was lost on its way between two nodes that were started without a profile.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

PROFILE = "config/fastdds_large_images.xml"
VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")  # since Kilted, and before
BEFORE_KILTED = ("humble", "iron", "jazzy")
OWN_CHOICE = (*VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS")  # of whoever started the process
FOUND_BY_NAME = ("DEFAULT_FASTDDS_PROFILES.xml", "DEFAULT_FASTRTPS_PROFILES.xml")  # where it was started
MIDDLEWARES = ("", "rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")
ROOM = 256 << 20  # bytes of shared memory below which the segments would crowd each other out


def prepare(environment: MutableMapping[str, str], shared_memory: Path = Path("/dev/shm")) -> Path | None:
    """Choose the profile for large images, before the first node is made; return it, None without one.

    Nothing is changed for another middleware, where the user has chosen, or without room for it.
    """
    if environment.get("RMW_IMPLEMENTATION", "") not in MIDDLEWARES:
        return None
    if any(environment.get(name) for name in OWN_CHOICE) or any(
        Path(name).is_file() for name in FOUND_BY_NAME
    ):
        return None
    profile = _profile()
    if profile is None or _free(shared_memory) < ROOM:
        return None
    environment[VARIABLES[environment.get("ROS_DISTRO") in BEFORE_KILTED]] = str(profile)
    return profile


def _profile() -> Path | None:
    """Find the shipped profile: in the checkout, or in the share folder of an installation."""
    for folder in Path(__file__).resolve().parents:
        for path in (folder / PROFILE, folder / "share/semcorr_ros" / PROFILE):
            if path.is_file():
                return path
    return None


def _free(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
