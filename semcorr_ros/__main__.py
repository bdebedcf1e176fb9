"""`python -m semcorr_ros VERB`: one file per verb in cli/, one per node in ros/."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import signal
import sys
from pathlib import Path

# Read when torch is loaded, which is later. OpenMP's threads else spin while they wait, and where anything
# else uses the cores, against each other: a build of 11 s took over two minutes (docs/benchmarks.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

NODES = ("perceive", "scene_camera")
FOLDER = Path(__file__).parent


def main(argv: list[str] | None = None) -> int:
    """Run a verb or a node with its arguments; returns the exit status.

    A mistake of the user (ValueError, OSError, a missing package) is one line and status 2.
    """
    arguments = sys.argv[1:] if argv is None else argv
    verbs = {path.stem: path for path in sorted((FOLDER / "cli").glob("[a-z]*.py"))}
    verbs |= {name: FOLDER / "ros" / f"{name}.py" for name in NODES if (FOLDER / "ros").is_dir()}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(verbs))
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in verbs:
        print(f"semcorr_ros: unknown verb {verb!r}; choose from: {', '.join(verbs)}", file=sys.stderr)
        return 2
    try:
        return _run_node(verb, rest) if verb in NODES else _run_verb(verb, rest)
    except (ValueError, OSError, ImportError) as error:
        print(f"semcorr_ros {verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"semcorr_ros {verb}: interrupted", file=sys.stderr)
        return 130


def _run_verb(verb: str, arguments: list[str]) -> int:
    module = importlib.import_module(f"semcorr_ros.cli.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"semcorr_ros {verb}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments)))


def _run_node(node: str, arguments: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Told to stop while it still imports torch, a node ends as quietly as later on.
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        module = importlib.import_module(f"semcorr_ros.ros.{node}")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{error}; the nodes need ROS 2: run `make setup`, or source one and build"
        ) from error
    return int(module.main(arguments))


def _overview(verbs: dict[str, Path]) -> str:
    lines = ["usage: python -m semcorr_ros VERB [arguments]", "", "verbs (each has --help):"]
    for name, path in verbs.items():
        # Read, not imported: an overview must not load torch.
        doc = ast.get_docstring(ast.parse(path.read_text())) or "" if path.is_file() else ""
        lines.append(f"  {name:<14} {doc.splitlines()[0] if doc else ''}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
