"""Run `python -m semcorr_ros VERB`: one file per verb in cli/, and where the lab is there, in its cli/."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path

from semcorr_ros.refusal import Refusal

# Read when torch is loaded, which is later. OpenMP's threads else spin while they wait, and where anything
# else uses the cores, against each other: a build of 11 s took over two minutes (docs/benchmarks.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Nodes, and the modules they are in. The lab is what a robot never runs: not every installation has it.
NODES = {"perceive": "semcorr_ros.ros.perceive", "scene_camera": "semcorr_lab.demo.scene_camera"}
# What pip installs into the environment and no ROS installation brings.
OURS = ("torch", "safetensors", "jaxtyping", "tyro", "rich", "yaml", "PIL", "numpy", "cv2", "scipy")
LAB = ("bench", "demo", "scene_camera", "synthesize", "train_tiny")


def main(argv: list[str] | None = None) -> int:
    """Run a verb or a node with its arguments; returns the exit status.

    A mistake of the user (ValueError, OSError, a missing package) is one line and status 2.
    """
    arguments = sys.argv[1:] if argv is None else argv
    verbs = _verbs()
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(verbs))
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in verbs:
        print(f"semcorr_ros: {_unknown(verb)}; choose from: {', '.join(verbs)}", file=sys.stderr)
        return 2
    try:
        return _run_node(verb, rest) if verb in NODES else _run_verb(verbs[verb], verb, rest)
    except ModuleNotFoundError as error:
        print(f"semcorr_ros {verb}: {error}{_where_it_is(error.name or '')}", file=sys.stderr)
        return 2
    except (ValueError, OSError, ImportError, Refusal) as error:
        print(f"semcorr_ros {verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"semcorr_ros {verb}: interrupted", file=sys.stderr)
        return 130


def _verbs() -> dict[str, Path]:
    """Find the file of every verb by its name; nothing is imported."""
    root = Path(__file__).parents[1]
    spec = importlib.util.find_spec("semcorr_lab")
    folders = [root / "semcorr_ros/cli"] + (
        [Path(spec.origin).parent / "cli"] if spec and spec.origin else []
    )
    found = {path.stem: path for folder in folders for path in folder.glob("[a-z]*.py")}
    return dict(sorted(found.items())) | {name: path for name in NODES if (path := _node_file(name))}


def _node_file(name: str) -> Path | None:
    package, _, rest = NODES[name].partition(".")
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / f"{rest.replace('.', '/')}.py" if spec and spec.origin else None
    return path if path and path.is_file() else None


def _unknown(verb: str) -> str:
    if verb in LAB:
        return f"{verb!r} is a verb of semcorr_lab, which is not installed here (colcon: -DSEMCORR_LAB=ON)"
    return f"unknown verb {verb!r}"


def _run_verb(path: Path, verb: str, arguments: list[str]) -> int:
    from semcorr_ros.cli import options_of

    package = path.parents[1].name
    options = options_of(verb, package)
    asked = next((i for i, argument in enumerate(arguments) if argument in ("-h", "--help")), None)
    if asked is not None:
        from semcorr_ros.cli import _help

        print(_help.text(options, f"semcorr_ros {verb}", _doc(path), _topic(arguments[asked + 1 :])))
        return 0
    from semcorr_ros.cli._command import parse

    found = parse(options, arguments)
    return int(importlib.import_module(f"{package}.cli.{verb}").run(found))


def _topic(rest: list[str]) -> str:
    """Return the word after --help; empty without one."""
    return rest[0] if rest and not rest[0].startswith("-") else ""


def _doc(path: Path) -> str:
    """Read a module's docstring without importing it: neither an overview nor --help may load torch."""
    return ast.get_docstring(ast.parse(path.read_text())) or "" if path.is_file() else ""


def _run_node(node: str, arguments: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Told to stop while it still imports torch, a node ends as quietly as later on.
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        module = importlib.import_module(NODES[node])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        raise ImportError(
            f"{error}; the nodes need ROS 2: run `make setup`, or source one and build"
        ) from error
    return int(module.main(arguments))


def _where_it_is(module: str) -> str:
    """Say what to do where a package that we always need is missing: another Python was built for."""
    if module.partition(".")[0] not in OURS:
        return ""
    return (
        f" for {sys.executable}: activate the virtual environment that the package was built in "
        "(. .venv/bin/activate), or install requirements.txt for this Python"
    )


def _overview(verbs: dict[str, Path]) -> str:
    lines = ["usage: python -m semcorr_ros VERB [arguments]", "", "verbs (each has --help):"]
    for name, path in verbs.items():
        lines.append(f"  {name:<14} {''.join(_doc(path).splitlines()[:1])}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
