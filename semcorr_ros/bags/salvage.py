"""What is whole of a recording that was cut off: a camera's battery, a full disk, a copy that did not finish.

An MCAP file is a row of records, one byte of kind and eight of length before each. What lies before the cut
is copied and ended with a footer without a summary, as rosbags and the `mcap` tool can read it. Of the chunk
that was cut its whole messages are kept.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lz4.frame import LZ4FrameDecompressor

from semcorr_ros.bags import packed

MAGIC = b"\x89MCAP0\r\n"
HEADER, SCHEMA, CHANNEL, MESSAGE, CHUNK = 1, 3, 4, 5, 6
FOOTER = b"\x02" + struct.pack("<QQQI", 20, 0, 0, 0) + MAGIC
PREFIX = struct.Struct("<BQ")
LONGEST = 1 << 32  # bytes of one record; a longer one is garbage


def salvage(path: Path, target: Path) -> bool:
    """Copy the whole records of an MCAP file; False where there is not one message or chunk."""
    kept = False
    with path.open("rb") as source, target.open("wb") as copy:
        if source.read(len(MAGIC)) != MAGIC:
            return False
        copy.write(MAGIC)
        for kind, content, whole in _records(source):
            if whole and kind in (HEADER, SCHEMA, CHANNEL, MESSAGE, CHUNK):
                copy.write(PREFIX.pack(kind, len(content)) + content)
                kept |= kind in (MESSAGE, CHUNK)
            elif kind == CHUNK:
                inner = [record for record in _records(io.BytesIO(_begun(content))) if record[2]]
                copy.writelines(PREFIX.pack(one, len(data)) + data for one, data, _ in inner)
                kept |= any(one == MESSAGE for one, _, _ in inner)
        copy.write(FOOTER)
    return kept


def _records(source: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Yield kind, content, and whether it is whole; the last one may not be."""
    while len(prefix := source.read(PREFIX.size)) == PREFIX.size:
        kind, length = PREFIX.unpack(prefix)
        if not 1 <= kind <= 0x0E or length > LONGEST:  # 0x0F ends the data
            return
        content = source.read(length)
        yield kind, content, len(content) == length


def _begun(chunk: bytes) -> bytes:
    """Decompress what there is of a chunk: 24 bytes of numbers, a checksum, how, a length."""
    try:
        (length,) = struct.unpack_from("<I", chunk, 28)
        compression, records = chunk[32 : 32 + length], chunk[40 + length :]
        if compression == b"zstd":
            return packed.begun(records)
        return LZ4FrameDecompressor().decompress(records) if compression == b"lz4" else records
    except (struct.error, RuntimeError, EOFError, ValueError):
        return b""
