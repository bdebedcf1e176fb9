"""The machine: versions, GPU, weights, and the kernel's buffers for large messages."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from semcorr_ros import __version__, backbones
from semcorr_ros.diagnosis.facts import Finding, error, ok, warn
from semcorr_ros.features import FEATURES
from semcorr_ros.methods.semalign3d.alignment.compiled import build, library
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.weights import MissingWeights

KERNEL = Path("/proc/sys/net")
# file below KERNEL -> bytes that let raw color images through UDP in one burst
BUFFERS = {"core/rmem_max": 64 << 20, "ipv4/ipfrag_high_thresh": 128 << 20}  # docs/robot.md has them, too
SHARED_MEMORY = 256 << 20  # bytes of /dev/shm below which Fast DDS falls back to UDP for large images
PYTHON = ((3, 10), (3, 13))
ROS_VARIABLES = (
    "ROS_DISTRO", "RMW_IMPLEMENTATION", "ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"
)  # fmt: skip


def examine(class_files: Iterable[Path] = ()) -> list[Finding]:
    """Examine everything that needs no ROS."""
    return [
        *versions(), gpu(), weights(), kernels(), *(class_file(path) for path in class_files),
        *kernel_buffers(KERNEL), shared_memory(Path("/dev/shm")), environment(dict(os.environ)),
    ]  # fmt: skip


def versions() -> list[Finding]:
    """List the versions of Python and of the packages that a bug report needs."""
    current = sys.version_info[:2]
    name = ".".join(map(str, sys.version_info[:3]))
    low, high = (".".join(map(str, version)) for version in PYTHON)
    found = {"semcorr_ros": __version__, "torch": torch.__version__}
    found |= {package: _version(package) for package in ("numpy", "pillow", "safetensors")}
    listed = ", ".join(f"{package} {version}" for package, version in found.items())
    if not PYTHON[0] <= current <= PYTHON[1]:
        return [
            warn("python", f"{name} is not tested", f"use Python {low} to {high}"),
            ok("packages", listed),
        ]
    return [ok("python", name), ok("packages", listed)]


def gpu() -> Finding:
    """Describe the device that `device: auto` chooses."""
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return ok("gpu", f"{torch.cuda.get_device_name()}, {free >> 20} of {total >> 20} MiB free")
    if shutil.which("nvidia-smi"):
        return warn(
            "gpu",
            f"there is an NVIDIA driver, but torch {torch.__version__} does not use it",
            "install the CUDA build of torch that fits the driver (pytorch.org/get-started)",
        )
    return ok("gpu", "none: everything runs on the CPU")


def weights() -> Finding:
    """Look for the weights of the default backbone; others are reported by their own error."""
    try:
        extractor = FEATURES.load(backbones.DEFAULT).make({}, {})
        return ok("weights", extractor.backbone.replace(":", " "))
    except MissingWeights as problem:
        return error("weights", str(problem), "install what the message names")
    except (OSError, ValueError) as problem:
        return error("weights", str(problem), "install the package of these weights again")


def kernels() -> Finding:
    """Look for the kernels of the alignment on the CPU: without them it takes over ten times longer."""
    path = library.find()
    if path is not None:
        return ok("kernels", str(path))
    try:
        compiler = build.compiler()[0]
    except build.Unavailable as problem:
        return warn("kernels", f"not compiled; {problem}", "install a compiler, or build with colcon")
    return ok("kernels", f"the first start compiles them with {compiler} ({library.COST})")


def class_file(path: Path) -> Finding:
    """Check that a class file can be read, and name the backbone it was built on."""
    try:
        model = read_class(path)
    except (OSError, ValueError) as problem:
        return error(f"class {path.name}", str(problem), "build it again with build_class, or copy it again")
    return ok(f"class {path.name}", f"{model.info.name}, built on {model.backbone}")


def kernel_buffers(folder: Path) -> list[Finding]:
    """Check the network buffers: at their defaults, raw images of more than a few hundred kB are lost."""
    findings = []
    for name, wanted in BUFFERS.items():
        try:
            value = int((folder / name).read_text())
        except (OSError, ValueError):  # not Linux, or a container without it
            continue
        about = f"net.{name.replace('/', '.')}"
        if value < wanted:
            fix = f"sudo sysctl -w {about}={wanted}, or image_transport: compressed"
            findings.append(warn(about, f"{value}: large raw images from another machine get lost", fix))
        else:
            findings.append(ok(about, str(value)))
    return findings


def shared_memory(folder: Path) -> Finding:
    """Check the memory that nodes on one machine exchange images through."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return ok("shared memory", f"no {folder}: images go through UDP")
    free = status.f_bavail * status.f_frsize
    if free < SHARED_MEMORY:
        fix = "in docker: --ipc=host or --shm-size=1g; else remove old files there"
        return warn("shared memory", f"{free >> 20} MiB free in {folder}: large images get lost", fix)
    return ok("shared memory", f"{free >> 20} MiB free in {folder}")


def environment(variables: dict[str, str]) -> Finding:
    """List the variables that decide which nodes discover each other."""
    found = [f"{name}={variables[name]}" for name in ROS_VARIABLES if variables.get(name)]
    rmw = variables.get("RMW_IMPLEMENTATION", "")
    if rmw and rmw != "rmw_fastrtps_cpp" and importlib.util.find_spec("rclpy") is None:
        return warn("environment", f"RMW_IMPLEMENTATION={rmw}, but no rclpy", "source a ROS 2 installation")
    return ok("environment", ", ".join(found) or "defaults: ROS domain 0")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
