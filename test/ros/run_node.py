"""`python -m semcorr_ros` with the fabricated backbone among the features; run by the tests as a process."""

import sys
from pathlib import Path

import semcorr_ros.features
from semcorr_ros.__main__ import main

semcorr_ros.features.__path__.append(str(Path(__file__).parent / "fabricated_features"))

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
