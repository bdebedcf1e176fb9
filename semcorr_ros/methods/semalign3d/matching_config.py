"""How pixels are carried over between two aligned images (Eq. 14): ours and the paper's, by name."""

from __future__ import annotations

from dataclasses import dataclass

MATCHERS = ("aligned", "paper")


@dataclass(frozen=True)
class MatchingConfig:
    """Constants of the matching.

    Raises ValueError for an unknown matcher or a sigma that is not positive.
    """

    matcher: str = "aligned"  # matching/carry.py; "paper": matching/paper.py, Eq. 14 to the letter
    # Of p_spatial in Eq. 14. "aligned": share of the object's RMS radius in the image; "paper": of the longer
    # side of the image.
    sigma: float = 0.06

    def __post_init__(self) -> None:
        if self.matcher not in MATCHERS:
            raise ValueError(f"matcher must be one of {', '.join(MATCHERS)}, got {self.matcher!r}")
        if not self.sigma > 0:
            raise ValueError(f"sigma of the matching must be positive, got {self.sigma}")
