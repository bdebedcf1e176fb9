"""Some steps of Adam on the objective, for the hypotheses of one thread: kernels/step.hpp."""

from __future__ import annotations

from semcorr_ros.methods.semalign3d.alignment.compiled import layout, library
from semcorr_ros.methods.semalign3d.alignment.compiled.tables import Class, Image, Plan, Search

__all__ = ["Plan", "Search", "descend"]


def descend(search: Search, known: Class, image: Image, plan: Plan, free: bool) -> None:
    """Go len(plan.weights) steps; `free`: the numbers are keypoint positions."""
    go(search, known, (layout.of_class(known), layout.of_image(image, known)), plan, free)


def go(
    search: Search, known: Class, tables: tuple[layout.Class, layout.Image], plan: Plan, free: bool
) -> None:
    """Go the steps of `plan`; `tables`: a class and an image whose addresses have been taken before."""
    keypoints, numbers = len(known.sparse), search.numbers.shape[1]
    steps, rows = layout.of_plan(plan, numbers), layout.of_search(search, keypoints)
    library.load().semcorr_descend(rows, *tables, steps, int(free))
