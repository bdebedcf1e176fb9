"""What an answer lacks because of its picture: said in its note, and no length told that nobody measured."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from semcorr_ros.answer import Answer

UP_TO_A_FACTOR = "no length is known without depth (the parameter depth: none gives them up to one factor)"


def cautious(answer: Answer, caution: str, depth: str) -> Answer:
    """Add the caution of its picture to an answer, and take away lengths that are right up to a factor only.

    depth: how the depth stream is used, one of DEPTH_CHOICES; with "none" whoever asks knows that there are
    no metres.
    """
    pose = answer.pose
    if pose is not None and not pose.metric and depth != "none":
        unknown = torch.full_like(pose.translation, torch.nan)
        pose = replace(pose, translation=unknown, scale=math.nan, size=unknown)
        caution = caution or (answer.note or UP_TO_A_FACTOR)
    return replace(answer, pose=pose, note=joined(caution, answer.note))


def joined(*notes: str) -> str:
    """Join sentences that say something, each once."""
    return "; ".join(dict.fromkeys(filter(None, notes)))
