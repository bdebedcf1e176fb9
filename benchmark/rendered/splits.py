"""Which pictures a class is built from, constants are chosen by, and numbers are reported on.

Every constant of the package - a schedule, a floor, a default threshold - is chosen on the validation split
and on nothing else. The test split is rendered and looked at when a table is released, and what is seen
there changes no constant afterwards. Both have a seed of their own, so that no object, picture or pair is in
two splits; the training split, of which classes are built, is the same for both.

Seed 20 once had test pictures too. Constants were chosen on those: they are no test any more, and are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_lab.synthetic.dataset import SPLITS as SPAIR
from semcorr_lab.synthetic.dataset import DatasetConfig

TRAINING_IMAGES = 30  # per category


@dataclass(frozen=True)
class Split:
    """Name, the name SPair-71k's layout has for it, and the seed of its objects, pictures and pairs."""

    name: str
    spair: str
    seed: int

    @property
    def label(self) -> str:
        """Of its folder and of result files."""
        return f"{self.name}_{self.seed}"

    def folder(self, work: Path) -> Path:
        """Where its pictures, features and answers are."""
        return work / self.label

    def pictures(self, images: int, pairs: int = 0) -> DatasetConfig:
        """So many per category, in this split alone."""
        train, validation, test = (int(name == self.spair) for name in SPAIR)
        return DatasetConfig(
            images=(train * images, validation * images, test * images),
            pairs=(train * pairs, validation * pairs, test * pairs),
            seed=self.seed,
        )


# No other use of the generators has these seeds.
TRAIN = Split("train", "trn", 20)
VALIDATION = Split("validation", "val", 2026)
TEST = Split("test", "test", 2027)
HELD_OUT = {split.name: split for split in (VALIDATION, TEST)}
