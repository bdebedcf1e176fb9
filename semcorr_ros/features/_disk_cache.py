"""Features of images that were encoded before, on disk: the second run of a benchmark encodes nothing.

Values are kept in float16, on the way in as on the way out, so that a result does not depend on whether it
was found or computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.features import FeatureExtractor, ImageRef


class DiskCache(FeatureExtractor):
    """Caches the features of `extractor` in a store on disk.

    Raises ValueError for an extractor that looks at more than pixels, such as `precomputed`.
    """

    from_pixels = True

    def __init__(self, extractor: FeatureExtractor, store: DiskStore) -> None:
        if not extractor.from_pixels:
            raise ValueError(
                f"features of {extractor.backbone} cannot be cached: they are files already, or depend on"
                " more than one image"
            )
        self.backbone, self.variant, self.origin = extractor.backbone, extractor.variant, extractor.origin
        self.read = self.computed = 0
        self._extractor, self._store = extractor, store

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode as the extractor does, rounded to float16."""
        return self.encode_batch([ref])[0]

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Read those that are on disk, compute the others together."""
        paths = [self._path(ref) for ref in refs]
        sizes = [(ref.image.shape[0], ref.image.shape[1]) for ref in refs]
        found = [
            self._store.read(path, partial(self._restore, size))
            for path, size in zip(paths, sizes, strict=True)
        ]
        missing = [i for i, features in enumerate(found) if features is None]
        fresh = self._extractor.encode_batch([refs[i] for i in missing]) if missing else []
        for i, features in zip(missing, fresh, strict=True):
            kept = {"features": features.values.half()}
            if features.lengths is not None:
                kept["lengths"] = features.lengths
            found[i] = self._rounded(kept, features.image_size)
            self._store.write(paths[i], kept, {"image_size": features.image_size})
        self.computed += len(missing)
        self.read += len(refs) - len(missing)
        return [features for features in found if features is not None]

    def _path(self, ref: ImageRef) -> Path:
        # The category too: a text prompt may name it.
        return self._store.path(self.backbone, f"{self.variant}|{ref.category}", ref.image)

    def _restore(
        self, size: tuple[int, int], tensors: dict[str, Tensor], header: dict[str, Any]
    ) -> FeatureMap:
        values = tensors["features"]
        if values.ndim != 3 or tuple(header["image_size"]) != size:
            raise ValueError(f"features {tuple(values.shape)} of an image {header['image_size']}")
        return self._rounded(tensors, size)

    def _rounded(self, kept: dict[str, Tensor], size: tuple[int, int]) -> FeatureMap:
        values = normalize(kept["features"].float(), dim=-1)
        return FeatureMap(values, size, self.backbone, lengths=kept.get("lengths"))
