"""Damage files of every kind and read them: python -m benchmark.reader_fuzz --count 5000 --seed 0

Pictures, masks, depth and cameras, cut off, with bytes exchanged, nulled, flipped and moved. A reader must
refuse in one line, or give what was written. Formats without checksums (JPEG, TIFF, .npy, text) cannot always
tell: what they give then is counted apart.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from semcorr_ros.files.camera import read_calibration
from semcorr_ros.files.depth import read_depth
from semcorr_ros.files.mask import read_mask
from semcorr_ros.files.picture import image_size, read_image
from semcorr_ros.storage import write_json

SIZE = (48, 64)
CHECKED = (".png", ".npz")  # formats with checksums
Numbers = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Subject:
    """A whole file and the reader of its kind."""

    name: str
    data: bytes
    read: Callable[[Path], Numbers]


def _picture(path: Path) -> Numbers:
    size = image_size(path)
    found = read_image(path).numpy()
    return found, np.array(size)


def _mask(path: Path) -> Numbers:
    return (read_mask(path, SIZE).numpy(),)


def _depth(path: Path) -> Numbers:
    return (read_depth(path, SIZE).numpy(),)


def _camera(path: Path) -> Numbers:
    camera, lens = read_calibration(path, SIZE)
    bent = () if lens is None else lens.coefficients
    return camera.focal.numpy(), camera.principal_point.numpy(), np.array(bent)


def subjects() -> dict[str, list[Subject]]:
    """Make whole files by reader."""
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[10:30, 20:50] = 255
    metres = np.linspace(0.4, 0.9, mask.size).reshape(SIZE).astype(np.float32)
    millimetres = np.rint(metres * 1000).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    cut_out = Image.fromarray(np.dstack([smooth, mask]))
    return {
        "picture": [
            Subject(name, _image(image, name, **options), _picture)
            for name, image, options in (
                ("a.png", Image.fromarray(smooth), {}), ("b.png", cut_out, {}),
                ("c.png", Image.fromarray(millimetres), {}),
                ("d.png", Image.fromarray(smooth).quantize(16), {}),
                ("a.jpg", Image.fromarray(smooth), {"exif": exif}), ("a.webp", Image.fromarray(smooth), {}),
                ("a.tiff", Image.fromarray(smooth), {}), ("a.bmp", Image.fromarray(smooth), {}),
            )
        ],
        "mask": [
            *(Subject(name, _image(image, name), _mask) for name, image in (
                ("a.png", Image.fromarray(mask)), ("b.png", cut_out), ("c.png", Image.fromarray(mask > 0)),
                ("d.png", Image.fromarray(mask // 255)), ("a.jpg", Image.fromarray(mask)))),
            Subject("a.npy", _array(mask > 0), _mask), Subject("a.npz", _array(mask > 0, True), _mask),
        ],
        "depth": [
            Subject("a.png", _image(Image.fromarray(millimetres), "a.png"), _depth),
            Subject("a.tiff", _image(Image.fromarray(metres), "a.tiff"), _depth),
            Subject("a.npy", _array(metres), _depth), Subject("a.npz", _array(millimetres, True), _depth),
        ],
        "camera": [Subject(name, text.encode(), _camera) for name, text in CAMERAS.items()],
    }  # fmt: skip


K = [[61.25, 0.0, 32.225], [0.0, 61.1, 24.15], [0.0, 0.0, 1.0]]
FLAT = [number for row in K for number in row]
P = [60.0, 0.0, 32.0, 0.0, 0.0, 60.0, 24.0, 0.0, 0.0, 0.0, 1.0, 0.0]
D = [-0.28, 0.09, 0.001, -0.002, 0.01]
CAMERAS = {
    "a.json": json.dumps({"K": K, "width": 64, "height": 48, "D": D, "distortion_model": "plumb_bob"}),
    "ost.yaml": "\n".join([
        "image_width: 64", "image_height: 48", "camera_name: a", "camera_matrix:", "  rows: 3", "  cols: 3",
        f"  data: {FLAT}", "distortion_model: plumb_bob",
        "distortion_coefficients:", "  rows: 1", "  cols: 5", f"  data: {D}",
        "projection_matrix:", "  rows: 3", "  cols: 4", f"  data: {P}", "",
    ]),
    "ost.txt": "\n".join([
        "# oST version 5.0 parameters", "[image]", "width", "64", "height", "48", "[a]", "camera matrix",
        *(" ".join(map(str, row)) for row in K), "", "distortion", " ".join(map(str, D)), "", "projection",
        *(" ".join(map(str, P[i : i + 4])) for i in (0, 4, 8)), "",
    ]),
    "camchain.yaml": "\n".join([
        "cam0:", "  camera_model: pinhole", f"  distortion_coeffs: {D[:4]}", "  distortion_model: radtan",
        "  intrinsics: [61.25, 61.1, 32.225, 24.15]", "  resolution: [64, 48]", "",
    ]),
}  # fmt: skip


def damaged(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Damage a file once, somewhere: the name of the damage, and what is left."""
    kind = ("cut", "swapped", "nulled", "flipped", "moved")[rng.integers(5)]
    changed, at = bytearray(data), int(rng.integers(len(data)))
    length = int(rng.integers(1, max(2, len(data) // 8)))
    if kind == "cut":
        return kind, data[:at]
    if kind == "swapped":
        other = int(rng.integers(len(data)))
        changed[at], changed[other] = changed[other], changed[at]
    elif kind == "nulled":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif kind == "flipped":
        changed[at] ^= 1 << int(rng.integers(8))
    else:
        part, to = changed[at : at + length], int(rng.integers(len(data)))
        del changed[at : at + length]
        changed[to:to] = part
    return kind, bytes(changed)


def fuzz(reader: str, count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Read `count` damaged files of a reader; count what came of them, and list the failures."""
    rng = np.random.default_rng(seed)
    files = subjects()[reader]
    truths = [subject.read(_written(folder, subject.name, subject.data)) for subject in files]
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    for number in range(count):
        subject, truth = files[number % len(files)], truths[number % len(files)]
        kind, data = damaged(subject.data, rng)
        outcome = _outcome(subject, truth, _written(folder, subject.name, data))
        outcomes[outcome.splitlines()[0]] += 1
        if outcome.startswith(("traceback", "differs", "of another", "several")):
            failures.append(f"{subject.name}, {kind}, file {number}: {outcome}")
    return {"reader": reader, "files": count, "seed": seed, "outcomes": dict(outcomes), "failures": failures}


def _outcome(subject: Subject, truth: Numbers, path: Path) -> str:
    try:
        found = subject.read(path)
    except (ValueError, FileNotFoundError) as error:
        return "refused" if "\n" not in str(error) and path.name in str(error) else "several lines"
    except Exception:  # that is what is looked for
        return f"traceback\n{traceback.format_exc()}"
    if all(np.array_equal(a, b) for a, b in zip(found, truth, strict=True)):
        return "as it was"
    return "differs" if path.suffix in CHECKED else "no checksum: differs"


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _image(image: Image.Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, {"jpg": "JPEG"}.get(name.split(".")[1], name.split(".")[1].upper()), **options)
    return buffer.getvalue()


def _array(values: np.ndarray, several: bool = False) -> bytes:
    buffer = io.BytesIO()
    if several:
        np.savez_compressed(buffer, values)
    else:
        np.save(buffer, values)
    return buffer.getvalue()


def main(argv: list[str] | None = None) -> int:
    """Fuzz the readers; 1 where one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.reader_fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="damaged files per reader (default: 5000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=sorted(subjects()), action="append", help="default: all")
    parser.add_argument("--json", type=Path, help="write the outcomes here")
    options = parser.parse_args(argv)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for reader in options.reader or sorted(subjects()):
            results.append(fuzz(reader, options.count, options.seed, Path(folder)))
            print(reader, results[-1]["outcomes"], *results[-1]["failures"][:5], sep="\n  ", flush=True)
    if options.json:
        write_json(options.json, results)
    return 1 if any(result["failures"] for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
