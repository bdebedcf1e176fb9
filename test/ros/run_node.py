"""`python -m semcorr_ros` with the fabricated backbone among the features; run by the tests as a process.

With SEMCORR_TEST_BREAK_TIMER in the environment, the node gets a timer whose callback always fails.
"""

import os
import sys
from pathlib import Path

import semcorr_ros.features
from semcorr_ros.__main__ import main

semcorr_ros.features.__path__.append(str(Path(__file__).parent / "fabricated_features"))


def _break_a_timer() -> None:
    from semcorr_ros.ros.perceive import PerceiveNode

    create = PerceiveNode.__init__

    def fail() -> None:
        raise RuntimeError("a callback that always fails")

    def create_broken(self, **arguments) -> None:
        create(self, **arguments)
        self.create_timer(0.05, fail)

    PerceiveNode.__init__ = create_broken


def run(arguments: list[str]) -> int:
    """Run a verb; returns the exit status."""
    if os.environ.get("SEMCORR_TEST_BREAK_TIMER"):
        _break_a_timer()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
