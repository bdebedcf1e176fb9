"""Damage files and read them: `python -m benchmark.readers --files 5000 --work DIR`.

Ends with 1 where a reader ended in anything but a named refusal, or answered wrongly without a word.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from pathlib import Path

from benchmark.readers.subjects import SUBJECTS
from benchmark.readers.trial import trial


def main() -> int:
    """0 where every reader was right or refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.readers", description=__doc__)
    parser.add_argument("--files", type=int, default=5000, help="per reader (default: %(default)s)")
    parser.add_argument("--readers", nargs="+", choices=sorted(SUBJECTS), default=sorted(SUBJECTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the counts here")
    args = parser.parse_args()
    counts = {}
    for name in args.readers:
        with tempfile.TemporaryDirectory() as folder:
            counts[name] = trial(SUBJECTS[name], Path(folder), args.files, args.seed)
        for error in counts[name].crashes[:3]:
            print("".join(traceback.format_exception(error)), file=sys.stderr)
        print(f"{name}: {counts[name].told()}")
    if args.json:
        args.json.write_text(json.dumps({name: count.summary() for name, count in counts.items()}, indent=2))
    return int(any(count.crashes or count.wrong for count in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
