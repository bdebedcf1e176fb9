"""`make setup`: everything this checkout needs, in .venv, build/ and install/. Standard library only.

Steps: virtual environment, pinned packages, ROS 2 (a sourced one, else wheels and their repair),
colcon build, and a start-up hook so that .venv/bin/python finds the built messages. Each step has
a stamp that is written last and names what it was made from: an interrupted step is repeated, a
finished one costs nothing. What takes seconds says so, and how long it took.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PREFIX = ROOT / "install" / "semcorr_ros"
PACKAGES_STAMP = VENV / ".semcorr_packages"
BUILD_STAMP = ROOT / "install" / ".semcorr_build"
UNFINISHED = VENV / ".semcorr_unfinished"
SIGN_OF_LIFE = 30.0  # seconds between two lines of a step that takes long

Command = list[str | Path]


def main() -> int:
    """Bring the checkout up to date; return 0, or 1 with one line that says what to do."""
    with open(__file__) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once must not build over each other
        try:
            _check_machine()
            _install_packages()
            _build()
        except subprocess.CalledProcessError as error:
            print(
                f"make setup: {' '.join(map(str, error.cmd))} failed ({error.returncode}).", file=sys.stderr
            )
            return 1
        except RuntimeError as error:
            print(f"make setup: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("make setup: interrupted; the next run continues.", file=sys.stderr)
            return 130
    return 0


def system_ros() -> str | None:
    """Return the name of the sourced ROS 2 distribution whose rclpy this interpreter imports, if any.

    Our own start-up hook sets AMENT_PREFIX_PATH as well, so being inside .venv does not count.
    """
    sourced = os.environ.get("ROS_DISTRO") and os.environ.get("AMENT_PREFIX_PATH")
    spec = importlib.util.find_spec("rclpy") if sourced and Path(sys.prefix) != VENV else None
    return os.environ["ROS_DISTRO"] if spec else None


def _check_machine() -> None:
    if not system_ros() and sys.version_info[:2] > (3, 13):
        raise RuntimeError(
            "the ROS 2 wheels exist for Python 3.10 to 3.13; choose one: make PYTHON=python3.12, "
            "or source a ROS 2 installation first."
        )
    tools = {"cmake": "cmake", "make": "make", "gcc": "gcc", "g++": "g++"}
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    if missing:
        raise RuntimeError(f"please install: {' '.join(missing)} (sudo apt install {' '.join(missing)})")


def _install_packages() -> None:
    distro = system_ros()
    files = ["requirements.txt", "requirements-dev.txt"] + ([] if distro else ["requirements-ros.txt"])
    key = _digest([ROOT / name for name in files] + [ROOT / "tools/repair_ros_wheels.py"], str(distro))
    if _stamped(PACKAGES_STAMP, key):
        return
    origin = f"sourced ROS 2 {distro}" if distro else "ROS 2 wheels"
    PACKAGES_STAMP.unlink(missing_ok=True)
    clear = ["--clear"] if UNFINISHED.exists() or not _has_pip() else []
    site = ["--system-site-packages"] if distro else []
    _run(f"virtual environment {VENV}", [sys.executable, "-m", "venv", *clear, *site, VENV])
    UNFINISHED.touch()
    (VENV / "COLCON_IGNORE").touch()
    pip: Command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if distro:
        pip += _numpy_constraint()
    requirements: Command = [part for name in files for part in ("-r", ROOT / name)]
    _run(f"packages and {origin}, over 1 GB (1 to 5 minutes)", pip + requirements)
    if distro is None:
        _run("repair of the ROS 2 wheels", [PYTHON, ROOT / "tools/repair_ros_wheels.py"])
    elif shutil.which("colcon") is None:
        _run("colcon", [*pip, "colcon-common-extensions"])
    UNFINISHED.unlink()
    PACKAGES_STAMP.write_text(key)


def _has_pip() -> bool:
    """Tell whether the environment has pip; False also where its creation was interrupted."""
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0


def _numpy_constraint() -> Command:
    """Pin the NumPy of a sourced ROS 2, or at least its ABI: its modules are compiled against it."""
    code = "import numpy; print(numpy.__version__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    recent = tuple(int(part) for part in found.split(".")[:2]) >= (1, 26) if found else False
    path = VENV / "numpy-constraint.txt"
    path.write_text(f"numpy=={found}\n" if recent else "numpy>=1.26,<2\n")
    return ["-c", path]


def _build() -> None:
    sources = [*ROOT.glob("msg/*"), *ROOT.glob("srv/*"), *ROOT.glob("action/*"), *ROOT.glob("scripts/*")]
    sources += [
        *ROOT.glob("cmake/*"),
        *ROOT.glob("semcorr_ros/methods/semalign3d/alignment/compiled/kernels/*"),
    ]
    sources += [ROOT / "CMakeLists.txt", ROOT / "package.xml", ROOT / "tools/overlay_bootstrap.py"]
    # The install space links to each file of the package: a new or removed one must be linked anew.
    folders = ("semcorr_ros", "semcorr_lab", "launch", "config", "rviz")
    linked = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*")]
    names = sorted(str(p.relative_to(ROOT)) for p in linked if p.is_file() and "__pycache__" not in p.parts)
    key = _digest(sources, "\n".join([str(ROOT), PACKAGES_STAMP.read_text(), *names]))
    if _stamped(BUILD_STAMP, key):
        return
    BUILD_STAMP.unlink(missing_ok=True)
    what = "colcon build of interfaces and alignment kernels (90 s of processor time)"
    command = _colcon()
    resumed = (ROOT / "build").exists()
    try:
        _run(what, command, env=_build_environment())
    except subprocess.CalledProcessError:
        if not resumed:
            raise
        print("make setup: once more from scratch, in case an interrupted build was left", file=sys.stderr)
        for folder in ("build", "install"):
            shutil.rmtree(ROOT / folder, ignore_errors=True)
        _run(what, command, env=_build_environment())
    _install_hook()
    BUILD_STAMP.write_text(key)


def _colcon() -> Command:
    system = shutil.which("colcon") if system_ros() else None
    colcon: Command = [system] if system else [PYTHON, "-m", "colcon"]
    # Which generators a sourced ROS 2 has is unknown, see cmake/few_compilations.cmake.
    fewer = [] if system_ros() else ["-DSEMCORR_FEW_COMPILATIONS=ON"]
    return [
        *colcon, "--log-base", "log", "build", "--symlink-install", "--packages-select", "semcorr_ros",
        "--event-handlers", "console_cohesion-", "--cmake-args", f"-DPython3_EXECUTABLE={PYTHON}",
        "-DBUILD_TESTING=OFF", "-DSEMCORR_LAB=ON", *fewer, "--no-warn-unused-cli",
    ]  # fmt: skip


def _build_environment() -> dict[str, str]:
    env = dict(os.environ)
    env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env['PATH']}"
    # colcon's own choice starts no compiler while the machine is loaded.
    env.setdefault("MAKEFLAGS", f"-j{os.cpu_count() or 1}")
    if system_ros() is None:
        env["CMAKE_PREFIX_PATH"] = env["AMENT_PREFIX_PATH"] = str(VENV)
    return env


def _install_hook() -> None:
    """Install tools/overlay_bootstrap.py and a .pth into the environment; see there."""
    messages = next(PREFIX.glob("**/semcorr_ros/msg/__init__.py"), None)
    if messages is None:
        raise RuntimeError(f"colcon left no generated messages under {PREFIX}; try make clean.")
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(
        subprocess.run([PYTHON, "-c", query], check=True, capture_output=True, text=True).stdout.strip()
    )
    source = (ROOT / "tools/overlay_bootstrap.py").read_text()
    (site / "_semcorr_overlay.py").write_text(source.replace("@PREFIX@", str(PREFIX)))
    # .pth files are read in alphabetical order: before ros_wheels_bootstrapper.pth.
    # The sources come before the install space, whose links may lag behind; it adds the messages.
    lines = [ROOT, messages.parents[2], "import _semcorr_overlay"]
    (site / "_semcorr_overlay.pth").write_text("".join(f"{line}\n" for line in lines))


def _run(what: str, command: Command, env: dict[str, str] | None = None) -> None:
    """Run a step, printing its name, a line every SIGN_OF_LIFE seconds, and how long it took."""
    print(f"make setup: {what} ...", flush=True)
    start, status = time.monotonic(), None
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:
        while status is None:
            try:
                status = process.wait(SIGN_OF_LIFE)
            except subprocess.TimeoutExpired:
                print(f"make setup: ... for {time.monotonic() - start:.0f} s now", flush=True)
    if status:
        raise subprocess.CalledProcessError(status, command)
    print(f"make setup: done after {time.monotonic() - start:.0f} s", flush=True)


def _digest(files: list[Path], extra: str) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {extra}".encode())
    for path in sorted(files):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _stamped(stamp: Path, key: str) -> bool:
    return PYTHON.exists() and stamp.is_file() and stamp.read_text() == key


if __name__ == "__main__":
    sys.exit(main())
