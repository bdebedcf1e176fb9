"""Is a class refused where there is none? Pictures of the same surroundings without the object, and no mask.

Only with features computed from pixels: those of the oracle are nothing but noise off the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmark.rendered.runs import Place
from benchmark.rendered.variants import Variant
from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.scene import SceneConfig, sample_scene
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros import pipeline, plugins
from semcorr_ros.artifacts import DepthMap
from semcorr_ros.evaluation.views import FAILURES
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.zoom import zoomed

SEED = 21


def without_object(place: Place, variant: Variant, count: int, tick: Callable[[int], object]) -> list[float]:
    """Confidence of the class in pictures without any object of it; 0 where it is refused."""
    module = plugins.load("features", place.backbone)
    extractor, model = module.build(module.Config()), read_class(place.class_file)
    found = []
    for picture in pictures(place.category, count):
        try:
            found.append(_confidence(model, picture, extractor, variant))
        except FAILURES:
            found.append(0.0)
        tick(1)
    return found


def pictures(category: str, count: int) -> Iterator[Rendering]:
    """Floors, walls and clutter - objects of other categories among it - seen from random viewpoints."""
    source = ProceduralSource(tuple(categories.available()))
    flat = source.infos()[category].flat
    rng = np.random.default_rng(SEED)
    while count:
        instance = source.instance(category, "test", count, rng)
        others = source.clutter(category, rng)
        scene = sample_scene(rng, instance, SceneConfig(flat=flat, occluders=False), others=others)
        bodies = scene.bodies[len(instance.parts) :]
        if bodies:
            yield render(replace(scene, bodies=bodies, caster=RayCaster([body.mesh for body in bodies])))
            count -= 1


def _confidence(
    model: ClassRepresentation, picture: Rendering, extractor: FeatureExtractor, variant: Variant
) -> float:
    ref = ImageRef(torch.from_numpy(picture.image))
    depth = DepthMap(torch.from_numpy(picture.depth), True)
    extras = pipeline.Extras(depth=depth, camera=picture.camera)
    seen = pipeline.observe(model, ref.image, extractor.encode(ref), extras)
    seen = zoomed(seen, ref, extractor)
    aligned = pipeline.align(model, seen, variant.config, torch.Generator().manual_seed(0))
    return float(aligned.confidence[0])
