"""Features of images that were encoded before, on disk: the second run of a benchmark encodes nothing.

One safetensors file per image, named by what its features depend on. Values are kept in float16, on the
way in as on the way out, so that a result does not depend on whether it was found or computed.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxtyping import Float16
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import FeatureExtractor, ImageRef, encode_batch
from semcorr_ros.storage import read_tensors, write_tensors

LOG = logging.getLogger(__name__)
KEPT = 0.9  # share of the largest size that is left after something had to go


class DiskCache:
    """An extractor with a memory: `extractor`'s features, from `folder` where they are there already.

    Several processes may share a folder. Once it holds more than `max_bytes`, what was not used for longest
    is deleted. Raises ValueError for an extractor that looks at more than pixels, such as `precomputed`.
    """

    from_pixels = True

    def __init__(self, extractor: FeatureExtractor, folder: Path, max_bytes: int, device: str) -> None:
        if not getattr(extractor, "from_pixels", False):
            raise ValueError(
                f"features of {extractor.backbone} cannot be cached: they are files already, or depend on"
                " more than one image"
            )
        if max_bytes <= 0:
            raise ValueError(f"the largest size of a cache must be positive, got {max_bytes} bytes")
        self.backbone = extractor.backbone
        self.variant = getattr(extractor, "variant", "")
        self.folder = folder / self.backbone.replace(":", "-")
        self.read = self.computed = 0
        self._extractor, self._root, self._max_bytes, self._device = extractor, folder, max_bytes, device
        self._bytes: int | None = None  # as far as this process knows; None before it wrote anything

    def encode(self, ref: ImageRef) -> FeatureMap:
        """As `encode` of the extractor, up to the precision of float16."""
        return self.encode_batch([ref])[0]

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Those that are on disk are read, the others computed together."""
        paths = [self._path(ref) for ref in refs]
        found = [
            self._read(path, (ref.image.shape[0], ref.image.shape[1]))
            for path, ref in zip(paths, refs, strict=True)
        ]
        missing = [i for i, features in enumerate(found) if features is None]
        fresh = encode_batch(self._extractor, [refs[i] for i in missing]) if missing else []
        for i, features in zip(missing, fresh, strict=True):
            values = features.values.half()
            found[i] = self._restored(values, features.image_size)
            self._write(paths[i], values, features.image_size)
        self.computed += len(missing)
        self.read += len(refs) - len(missing)
        return [features for features in found if features is not None]

    def _path(self, ref: ImageRef) -> Path:
        image = ref.image.cpu().contiguous()
        # The category too: a text prompt may name it.
        head = f"{self.backbone}|{self.variant}|{ref.category}|{tuple(image.shape)}|"
        name = hashlib.sha256(head.encode() + image.numpy().tobytes()).hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"

    def _read(self, path: Path, size: tuple[int, int]) -> FeatureMap | None:
        try:
            tensors, header = read_tensors(path, self._device)
            values = tensors["features"]
            if values.ndim != 3 or tuple(header["image_size"]) != size:
                raise ValueError(f"features {tuple(values.shape)} of an image {header['image_size']}")
            os.utime(path)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, OSError) as error:
            LOG.warning("cached features are computed again: %s: %s", path, error)
            return None
        return self._restored(values, size)

    def _restored(self, values: Float16[Tensor, "h w channel"], size: tuple[int, int]) -> FeatureMap:
        return FeatureMap(normalize(values.float(), dim=-1), size, self.backbone)

    def _write(self, path: Path, values: Float16[Tensor, "h w channel"], size: tuple[int, int]) -> None:
        """A full disk costs time, not the result."""
        try:
            write_tensors(path, {"features": values}, {"image_size": size})
            if self._bytes is None:
                self._bytes = sum(entry.stat().st_size for entry in _entries(self._root))
            else:
                self._bytes += path.stat().st_size
            if self._bytes > self._max_bytes:
                self._bytes = shrink(self._root, int(KEPT * self._max_bytes))
        except OSError as error:
            LOG.warning("features are not cached: %s", error)


def shrink(folder: Path, max_bytes: int) -> int:
    """Delete cached features, longest unused first, until `max_bytes` are left. Returns how many are."""
    stats = []
    for path in _entries(folder):
        try:
            stats.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        except FileNotFoundError:  # another process was faster
            continue
    left = sum(size for _, size, _ in stats)
    for _, size, path in sorted(stats):
        if left <= max_bytes:
            break
        path.unlink(missing_ok=True)
        left -= size
    return left


def _entries(folder: Path) -> Iterator[Path]:
    return folder.glob("*/[0-9a-f][0-9a-f]/*.safetensors")
