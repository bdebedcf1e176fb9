"""Draw random pictures of an instance until one shows enough of it."""

from __future__ import annotations

import numpy as np

from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.render import Rendering, project_keypoints, render
from semcorr_lab.synthetic.scene import SceneConfig, sample_scene

_ATTEMPTS = 20
_MIN_MASK_SHARE = 0.01  # of the image


def sample_rendering(
    rng: np.random.Generator,
    instance: Instance,
    config: SceneConfig,
    others: tuple[Instance, ...] = (),
    min_visible: int = 4,
) -> Rendering:
    """Draw a picture in which `min_visible` keypoints can be seen, or a third of them if that is less.

    Raises ValueError when twenty scenes in a row show fewer: then the keypoints are wrong.
    """
    # An object with few keypoints, such as four wheels, never shows most of them at once.
    known = int(np.isfinite(instance.keypoints).all(1).sum())
    wanted = min(min_visible, -(-known // 3))
    for _ in range(_ATTEMPTS):
        scene = sample_scene(rng, instance, config, others=others)
        if project_keypoints(scene)[1].sum() < wanted:
            continue
        rendering = render(scene)
        if rendering.mask.mean() >= _MIN_MASK_SHARE:
            return rendering
    raise ValueError(
        f"{instance.category} {instance.name}: {_ATTEMPTS} scenes show fewer than {wanted} keypoints; "
        "check that the keypoints lie on the surface"
    )
