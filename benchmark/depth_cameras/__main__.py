"""Show recorded RGB-D frames to a node and measure its answers: `python -m benchmark.depth_cameras ROOT`.

ROOT has frames with truth (frames.py). The node runs in a process of its own, a camera that plays the frames
in another; both are asked over DDS, in a domain of their own. Every object is asked for in the whole picture
and in a detector's box, with and without depth, and so are boxes around other things. --stream also has the
node look at the frames as at a stream, with a detector's regions and without. --odd also brings depth that no
good camera sends. Leaves results.json, table.md, calibration.png and contact sheets in DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmark.depth_cameras import output
from benchmark.depth_cameras.asking import Client
from benchmark.depth_cameras.camera import VARIANTS
from benchmark.depth_cameras.frames import DIRECTION, Recording, read_all, without_objects
from benchmark.depth_cameras.processes import Health, Setting, asking, own_domain, watching
from benchmark.depth_cameras.replies import STREAM_BOXED, STREAM_WHOLE, Reply
from benchmark.depth_cameras.streaming import streamed
from semcorr_ros.methods.semalign3d.class_file import read_class

USUAL = ("depth", "color")


def main() -> int:
    """Return 0 if everything was answered or refused, and nothing was raised in the node."""
    args = _arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    own_domain(args.work)
    recordings = read_all(args.root, args.direction_keypoint)
    if args.absent:
        recordings = [without_objects(recording) for recording in recordings]
    setting, health = _setting(args), Health()
    sizes: list[dict[str, Any]] = []
    with asking(setting, health) as client:
        replies = list(_asked(client, recordings, list(VARIANTS) if args.odd else USUAL, sizes))
    if args.stream:
        replies += _streamed(setting, recordings, health)
    more = {"sizes": sizes, "alive": health.alive, "tracebacks": health.tracebacks}
    output.write(args.work, recordings, replies, more)
    if args.json:
        print(json.dumps({**more, **output.summary(replies)}, indent=2))
    else:
        print(f"{output.text(replies)}\nsizes learned: {sizes}\nall else: {args.work}")
    return 0 if health.alive and not health.tracebacks else 1


def _asked(
    client: Client, recordings: Sequence[Recording], variants: Sequence[str], sizes: list[dict[str, Any]]
) -> Iterator[Reply]:
    """Ask about everything. sizes: filled with when the class got to know another size."""
    count = 0
    for variant in variants:
        odd = variant not in USUAL
        for i, recording in enumerate(recordings):
            if odd and not recording.objects:
                continue
            client.show(recording.name, variant)
            for reply in client.replies(recording, variant, boxes_only=odd):
                count += 1
                _progress(f"{i + 1}/{len(recordings)}", reply)
                size = client.size()
                if size != (sizes[-1]["metres"] if sizes else 0.0):
                    sizes.append({"after": count, "frame": recording.name, "metres": size})
                yield reply


def _streamed(setting: Setting, recordings: Sequence[Recording], health: Health) -> Iterator[Reply]:
    for where in (STREAM_WHOLE, STREAM_BOXED):
        for variant in USUAL:
            with watching(setting, where == STREAM_BOXED, variant == "depth", health) as (client, listener):
                for i, recording in enumerate(recordings):
                    for reply in streamed(client, listener, recording, variant, where):
                        _progress(f"{i + 1}/{len(recordings)}", reply)
                        yield reply


def _progress(done: str, reply: Reply) -> None:
    right = f"{reply.pck:.2f}" if reply.errors else "-"
    what = f"{done:>5} {reply.frame:12} {reply.thing:12} {reply.where:21} {reply.variant:8}"
    found = f"{reply.code:10} {reply.confidence:.2f} PCK {right:4} {reply.seconds:.1f} s"
    print(f"{what} {found} {reply.message}", file=sys.stderr, flush=True)


def _setting(args: argparse.Namespace) -> Setting:
    parameters: dict[str, object] = {"threads": args.threads, "device": args.device}
    parameters |= dict(text.split(":=", 1) for text in args.parameter)
    name = read_class(args.class_file).info.name
    return Setting(args.root, args.class_file, name, args.work, parameters)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.depth_cameras", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("root", type=Path, metavar="ROOT", help="folder of the recorded frames")
    add("--class-file", type=Path, required=True, metavar="FILE")
    add("--work", type=Path, required=True, metavar="DIR", help="everything is left here")
    add("--device", default="cpu")
    add("--threads", type=int, default=1, help="of the node's inference (default: 1)")
    add("--stream", action="store_true", help="also as a stream, with a detector's regions and without")
    add("--absent", action="store_true", help="the class is in no frame: all boxes are of other things")
    add("--odd", action="store_true", help="also depth that no good camera sends")
    add("--parameter", action="append", default=[], metavar="NAME:=VALUE", help="of the node; repeatable")
    add(
        "--direction-keypoint", default=DIRECTION, metavar="TEXT",
        help=f"in the names of keypoints that show where an object is turned to (default: {DIRECTION})",
    )  # fmt: skip
    add("--json", action="store_true", help="print numbers as JSON instead of tables")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
