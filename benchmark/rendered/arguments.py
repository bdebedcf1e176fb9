"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmark.rendered import scenes
from benchmark.rendered.splits import HELD_OUT, VALIDATION
from benchmark.rendered.variants import PUBLISHED, table4, variants
from semcorr_lab.synthetic.categories import available

SETTINGS = ("tiny", *scenes.NOISE)


def parse(description: str | None) -> argparse.Namespace:
    """The command line; `split` is a Split."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.rendered", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--work", type=Path, default=Path("runs/rendered"), help="everything is kept here")
    parser.add_argument(
        "--split",
        choices=list(HELD_OUT),
        default=VALIDATION.name,
        help="pictures to try the classes on (default: validation)",
    )
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="features")
    parser.add_argument("--categories", nargs="+", choices=available())
    parser.add_argument(
        "--meshes", type=Path, metavar="DIR", help="a further setting: GLB meshes with DIR/instances.json"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=list(variants("")),
        help="default: all of ours on oracle, what a robot meets on tiny",
    )
    parser.add_argument(
        "--table4",
        action="store_true",
        help="only the rows and categories of the paper's Table 4, in its form and in ours",
    )
    parser.add_argument("--quick", action="store_true", help="no ablations")
    parser.add_argument("--images", type=int, default=30, help="of the split, per category (default: 30)")
    parser.add_argument("--pairs", type=int, default=300, help="of the split, per category (default: 300)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: result_SPLIT_SEED.json in --work")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="default: result_SPLIT_SEED.md in --work"
    )
    args = parser.parse_args()
    args.split = HELD_OUT[args.split]
    if args.table4:
        if args.methods or args.quick:
            parser.error("--table4 names the rows itself: leave out --methods and --quick")
        args.methods = list(table4())
        args.categories = args.categories or list(PUBLISHED)
    return args
