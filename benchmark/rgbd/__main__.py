"""Show recorded RGB-D frames to a node and measure its answers: `python -m benchmark.rgbd ROOT --work DIR`.

ROOT has frames with truth (frames.py). The node runs in a process of its own, a camera that plays the frames
in another; both are asked over DDS, in a domain of their own. Every object is asked for in the whole picture
and in a detector's box, with and without depth, and so are boxes around other things. --odd also brings
depth that no good camera sends. Leaves results.json, table.md and contact sheets in DIR.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.faults.lab import ROOT, Process, probing
from benchmark.rgbd import report, sheet
from benchmark.rgbd.asking import BOXED, Client, Reply, questions
from benchmark.rgbd.camera import VARIANTS
from benchmark.rgbd.frames import Recording, read_all, without_objects
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.storage import atomic_path, write_image, write_json

NODE = "/semcorr"
USUAL = ("depth", "color")
AGE = 2.0  # seconds after which a picture is too old to be answered about


def main() -> int:
    """0 if everything was answered or refused, and nothing was raised in the node."""
    args = _arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    _environment(args.work)
    recordings = read_all(args.root)
    if args.absent:
        recordings = [without_objects(recording) for recording in recordings]
    name = read_class(args.class_file).info.name
    with ExitStack() as stack:
        node = stack.enter_context(_node(args))
        stack.enter_context(_camera(args))
        client = Client(stack.enter_context(probing()), NODE, name)
        replies, sizes = _run(client, recordings, list(VARIANTS) if args.odd else list(USUAL))
        alive, tracebacks = node.alive, node.tracebacks()
    _write(args.work, recordings, replies, {"sizes": sizes, "alive": alive, "tracebacks": tracebacks})
    return 0 if alive and not tracebacks else 1


def _run(
    client: Client, recordings: Sequence[Recording], variants: Sequence[str]
) -> tuple[list[Reply], list[dict[str, Any]]]:
    """All replies, and after which ones the class knew another size."""
    replies: list[Reply] = []
    sizes: list[dict[str, Any]] = []
    for variant in variants:
        for recording in recordings:
            asked = list(questions(recording, variant))
            if variant not in USUAL:
                asked = [question for question in asked if question.real and question.box is not None]
            if not asked:
                continue
            client.show(recording.name, variant)
            for question in asked:
                replies.append(client.ask(question))
                print(_progress(replies[-1]), flush=True)
                size = client.size()
                if size != (sizes[-1]["metres"] if sizes else 0.0):
                    sizes.append({"after": len(replies), "frame": recording.name, "metres": size})
    return replies, sizes


def _progress(reply: Reply) -> str:
    right = f"{reply.errors.pck:.2f}" if reply.errors else "-"
    what = f"{reply.frame:12} {reply.thing:12} {reply.where:14} {reply.variant:22}"
    return (
        f"{what} {reply.code:10} {reply.confidence:.2f} PCK {right:5} {reply.seconds:.1f} s {reply.message}"
    )


def _write(
    work: Path, recordings: Sequence[Recording], replies: Sequence[Reply], more: dict[str, Any]
) -> None:
    variants = list(dict.fromkeys(reply.variant for reply in replies))
    text = report.table(replies, variants)
    said = [f"{count} x {sentence}" for sentence, count in report.refusals(replies).most_common()]
    write_json(work / "results.json", {**more, "refusals": said, "replies": [asdict(r) for r in replies]})
    with atomic_path(work / "table.md") as temporary:
        temporary.write_text(text)
    named = {recording.name: recording for recording in recordings}
    for variant in variants:
        for where, label in ((BOXED, "box"), (None, "whole")):
            mine = [r for r in replies if r.variant == variant and (r.where == BOXED) == (where == BOXED)]
            if mine:
                path = work / f"{label}_{variant.replace(' ', '_')}.png"
                write_image(path, sheet.contact_sheet(named, mine))
    print("\n".join([text, *said, f"sizes learned: {more['sizes']}"]))


def _node(args: argparse.Namespace) -> Process:
    values = {
        "classes": f"[{args.class_file.resolve()}]", "threads": args.threads, "device": args.device,
        "max_image_age": AGE, "demonstration_folder": args.work.resolve() / "demonstrations",
    }  # fmt: skip
    values |= dict(text.split(":=", 1) for text in args.parameter)
    settings = [part for key, value in values.items() for part in ("-p", f"{key}:={value}")]
    command = [sys.executable, "-m", "semcorr_ros", "perceive", "--ros-args", *settings]
    return Process(command, args.work / "node.log", {})


def _camera(args: argparse.Namespace) -> Process:
    command = [sys.executable, "-m", "benchmark.rgbd.camera", str(args.root.resolve())]
    return Process(command, args.work / "camera.log", {})


def _environment(work: Path) -> None:
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
    os.environ["ROS_LOG_DIR"] = str(work.resolve() / "ros_logs")
    os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = str(ROOT / "config/fastdds_large_images.xml")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.rgbd", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder of the recorded frames")
    parser.add_argument("--class-file", type=Path, required=True, metavar="FILE")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="everything is left here")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the node's inference (default: 1)")
    parser.add_argument(
        "--absent", action="store_true", help="the class is in no frame: every box is one of another thing"
    )
    parser.add_argument("--odd", action="store_true", help="also depth that no good camera sends")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME:=VALUE", help="of the node; repeatable"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
