"""Is a class refused where there is none? Pictures of the same surroundings without the object, and no mask.

Only with features computed from pixels: those of the oracle are nothing but noise off the object.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmark.rendered.runs import Place
from benchmark.rendered.splits import Split
from benchmark.rendered.variants import Variant
from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.scene import SceneConfig, sample_scene
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.evaluation import predict
from semcorr_ros.finder import Finder
from semcorr_ros.live_providers import live_providers
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.provider_options import DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.storage import read_json, write_json


def without_object(place: Place, variant: Variant, count: int, tick: Callable[[int], object]) -> list[float]:
    """Confidence of the class in pictures without any object of it; 0 where it is refused. Kept on disk."""
    key = predict.key([], {"variant": variant, "class": place.class_file.read_bytes(), "count": count})
    kept = place.answers / f"without_object_{key}.json"
    if kept.is_file():
        tick(count)
        return [float(confidence) for confidence in read_json(kept)]
    options = FeatureOptions(backbone=place.backbone), MaskOptions(), DepthOptions()
    finder = Finder(live_providers(options, "cpu", None, lambda group, name: name))
    model = SemAlign3D(read_class(place.class_file), variant.config)
    found = []
    for picture in pictures(place.category, place.split, count):
        depth = DepthMap(torch.from_numpy(picture.depth), True)
        frame = Frame(torch.from_numpy(picture.image), picture.camera, depth)
        confidence = finder.find(model, finder.scene(frame)).confidence
        found.append(confidence if confidence == confidence else 0.0)
        tick(1)
    write_json(kept, found)
    return found


def pictures(category: str, split: Split, count: int) -> Iterator[Rendering]:
    """Floors, walls and clutter - objects of other categories among it - seen from random viewpoints."""
    source = ProceduralSource(tuple(categories.available()))
    flat = source.infos()[category].flat
    rng = np.random.default_rng([split.seed, zlib.crc32(category.encode())])
    while count:
        instance = source.instance(category, split.spair, count, rng)
        others = source.clutter(category, rng)
        scene = sample_scene(rng, instance, SceneConfig(flat=flat, occluders=False), others=others)
        bodies = scene.bodies[len(instance.parts) :]
        if bodies:
            yield render(replace(scene, bodies=bodies, caster=RayCaster([body.mesh for body in bodies])))
            count -= 1
