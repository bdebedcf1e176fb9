"""Zstandard of rosbag2: whole files (`compression_mode: file`), single messages (`message`), MCAP's chunks.

rosbags unpacks the first two by what metadata.yaml says; where that is lost, the bytes say it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError, decompress
else:
    from backports.zstd import ZstdDecompressor, ZstdError, decompress

BLOCK = 1 << 20  # bytes
SUFFIX = ".zstd"  # of a file that rosbag2 compressed
MAGIC = b"\x28\xb5\x2f\xfd"  # a serialized message begins with a zero


def message(raw: bytes) -> bytes:
    """Unpack a message that was compressed by itself; return any other one as it is. Raises ZstdError."""
    return decompress(raw) if raw[:4] == MAGIC else raw


def file(path: Path, folder: Path) -> Path:
    """Unpack a file of a recording into `folder`, as far as it is whole; any other one stays where it is."""
    if path.suffix != SUFFIX:
        return path
    target = folder / path.stem
    # What was cut off is mended as a file that was cut off while it was recorded.
    with suppress(ZstdError, EOFError), path.open("rb") as source, target.open("wb") as copy:
        stream = ZstdDecompressor()
        while block := source.read(BLOCK):
            copy.write(stream.decompress(block))
    return target


def begun(data: bytes) -> bytes:
    """Unpack what there is of data that were cut off; nothing where not even that can be read."""
    try:
        return ZstdDecompressor().decompress(data)
    except ZstdError:
        return b""
