"""Try a node against faults over DDS, between processes: `python -m benchmark.faults TRIAL --work DIR`.

Takes the class that `make demo` built, on the backbone `tiny`, and pictures of a rendered object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmark.faults.camera import Picture
from benchmark.faults.lab import ROOT, Subject
from benchmark.faults.trials import TRIALS
from semcorr_lab.synthetic.render import render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros.storage import write_json

SEED, VIEW = 3000, 3  # of an object that is not in the training images


def main() -> int:
    """0 if the trial's expectations hold."""
    args = _arguments()
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_LOG_DIR"] = str(args.work.resolve() / "ros_logs")
    if not args.default_dds:
        profile = str(ROOT / "config/fastdds_large_images.xml")
        os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = profile
    args.work.mkdir(parents=True, exist_ok=True)
    trial = TRIALS[args.trial]
    result = trial.run(_subject(args), args)
    failed = trial.failures(result)
    print(json.dumps(result, indent=2))
    for sentence in failed:
        print(f"FAILED {sentence}", file=sys.stderr)
    if args.json:
        write_json(args.json, {"trial": args.trial, "failed": failed, **result})
    return 1 if failed else 0


def _subject(args: argparse.Namespace) -> Subject:
    if not args.class_file.is_file():
        raise SystemExit(f"no class file {args.class_file}: run `make demo` first, or name one")
    rendering = render(Turntable(category=args.class_file.stem, seed=SEED).scene(VIEW))
    picture = Picture(rendering.image, rendering.depth, rendering.camera)
    parameters: dict[str, object] = {
        "device": args.device,
        "backbone": "tiny",
        "threads": args.threads,
        "demonstration_folder": str(args.work.resolve() / "demonstrations"),
    }
    return Subject(args.class_file.stem, args.class_file.resolve(), picture, args.work, parameters=parameters)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trial", choices=sorted(TRIALS))
    parser.add_argument("--work", type=Path, default=Path("fault_out"), metavar="DIR")
    parser.add_argument("--class-file", type=Path, default=ROOT / "demo_out/mug.safetensors")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000, help="of spoiled messages, calls or files")
    parser.add_argument("--minutes", type=float, default=10.0, help="of soak")
    parser.add_argument("--load", type=int, default=0, help="processes that compute beside `day`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--default-dds", action="store_true", help="without config/fastdds_large_images.xml")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
