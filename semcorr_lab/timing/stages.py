"""The stages of one answer, timed one by one on the same pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semcorr_lab.timing.clock import Timing, measure
from semcorr_lab.timing.limits import Work, counted, of_alignment
from semcorr_lab.timing.subject import Frame
from semcorr_ros.artifacts import Observation
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.alignment.tracking import FOLLOWING, Tracker
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation, View
from semcorr_ros.methods.semalign3d.matching.carry import carry

MATCHED = 14  # keypoints of the matching stage


@dataclass(frozen=True)
class Subject:
    """A class and pictures of one of its objects."""

    model: ClassRepresentation
    frames: Sequence[Frame]
    observations: Sequence[Observation]
    extractor: FeatureExtractor
    device: str = "cpu"
    engine: str = "auto"  # of the alignments that are not by autograd

    def preset(self, name: str) -> AlignmentConfig:
        """Look up a preset, on this engine."""
        return replace(preset(name, self.model.info.name), engine=self.engine)


def align(
    model: ClassRepresentation, seen: Observation, config: AlignmentConfig, seed: int = 0
) -> alignment.Alignment:
    """Align with a generator of its own."""
    return alignment.align(model, seen, config, torch.Generator().manual_seed(seed))


def stages(subject: Subject, runs: int, slow_runs: int) -> dict[str, Timing]:
    """Time the stages, by name. slow_runs: of the reference and of the paper's schedule."""
    model, pictures = subject.model, subject.observations
    fast, paper = subject.preset("fast"), subject.preset("paper")
    reference = replace(paper, engine="reference")
    timed = functools.partial(measure, device=subject.device)

    def aligned(config: AlignmentConfig, camera: bool = True) -> Callable[[int], object]:
        def work(run: int) -> object:
            seen = pictures[run % len(pictures)]
            return align(model, seen if camera else replace(seen, camera=None, depth=None), config)

        return work

    return {
        "encode": timed(lambda run: _encode(subject, run), runs),
        "align, camera and depth known": timed(aligned(fast), runs),
        "align, nothing known": timed(aligned(fast, camera=False), runs),
        "align, nothing known, by autograd": timed(
            aligned(replace(fast, engine="reference"), camera=False), slow_runs
        ),
        "align, paper's schedule": timed(aligned(paper, camera=False), slow_runs),
        "align, paper's schedule, by autograd": timed(aligned(reference, camera=False), slow_runs),
        "track": _track(subject, runs),
        "match 14 points": _match(subject, runs),
    }


def works(subject: Subject) -> dict[str, Work]:
    """Count the least work of the stages, by name; of those in torch by running them once."""
    model, seen = subject.model, subject.observations[0]
    unknown = replace(seen, camera=None, depth=None)
    fast, paper = preset("fast"), preset("paper", model.info.name)
    plain, quarter = (replace(one, engine="reference") for one in (fast, paper))
    quarter = replace(quarter, optimize=replace(quarter.optimize, steps=quarter.optimize.steps // 4))
    resumed = replace(FOLLOWING, initialize=replace(FOLLOWING.initialize, scored=False))
    views = View(seen, align(model, seen, fast)), _points_on(subject.frames[0])
    return {
        "encode": counted(lambda: _encode(subject, 0)),
        "align, camera and depth known": of_alignment(model, fast, fast.initialize.count, 1),
        "align, nothing known": of_alignment(model, fast, 16, len(fast.initialize.focals)),
        "align, nothing known, by autograd": counted(lambda: align(model, unknown, plain)),
        "align, paper's schedule": of_alignment(model, paper, 16, 0),
        "align, paper's schedule, by autograd": counted(lambda: align(model, unknown, quarter), times=4),
        "track": of_alignment(model, resumed, 2, 0),
        "match 14 points": counted(lambda: carry(model, views[0], views[0], views[1], fast.matching.sigma)),
    }


def _encode(subject: Subject, run: int) -> object:
    frame = subject.frames[run % len(subject.frames)]
    return subject.extractor.encode(ImageRef(frame.image))


def _track(subject: Subject, runs: int) -> Timing:
    """Time tracking frame by frame, forth and back, without the search in the first one."""
    tracker = Tracker(subject.model, subject.preset("tracking"))
    forth = list(range(len(subject.observations)))
    way = forth + forth[-2:0:-1]

    def work(run: int) -> object:
        return tracker.update(subject.observations[way[run % len(way)]], torch.Generator().manual_seed(0))

    timing = measure(work, runs, subject.device)
    if tracker.searches > 1:
        raise RuntimeError(f"the object was lost {tracker.searches - 1} times: that is not tracking")
    return timing


def _match(subject: Subject, runs: int) -> Timing:
    source, target = (
        View(seen, align(subject.model, seen, subject.preset("fast")))
        for seen in (subject.observations[0], subject.observations[-1])
    )
    points = _points_on(subject.frames[0]).to(subject.device)
    sigma = subject.preset("fast").matching.sigma
    return measure(lambda run: carry(subject.model, source, target, points, sigma), runs, subject.device)


def _points_on(frame: Frame) -> Tensor:
    rows, columns = torch.nonzero(frame.mask, as_tuple=True)
    pick = torch.linspace(0, len(rows) - 1, MATCHED).long()
    return torch.stack([columns[pick], rows[pick]], -1).float()


def search_sizes(steps: int, starts: int) -> AlignmentConfig:
    """Take our settings with other numbers of steps and starts; as many survive in proportion."""
    ours = preset("fast")
    survivors = tuple((knot, max(1, kept * starts // 16)) for knot, kept in OptimizeConfig().survivors)
    return replace(
        ours,
        initialize=replace(ours.initialize, count=starts),
        optimize=replace(ours.optimize, steps=steps, survivors=survivors),
    )
