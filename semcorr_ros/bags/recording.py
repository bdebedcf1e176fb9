"""A recording opened by `rosbags`, also a damaged one: as far as it is whole, with sentences on the rest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from semcorr_ros.bags import packed
from semcorr_ros.bags.salvage import salvage

# What is read of a message. A bag brings its own definitions, and they may be damaged, too.
FIELDS = {
    "sensor_msgs/msg/Image": ("header", "height", "width", "encoding", "is_bigendian", "step", "data"),
    "sensor_msgs/msg/CompressedImage": ("header", "format", "data"),
    "sensor_msgs/msg/CameraInfo": ("header", "height", "width", "distortion_model"),
}
FILES = ("*.mcap", "*.mcap.zstd", "*.db3", "*.db3.zstd", "*.bag")  # of a rosbag2 folder; ROS 1


@contextmanager
def open_reader(path: Path) -> Iterator[tuple[AnyReader, list[str]]]:
    """Open a bag: a folder, or a file of one; also yield a sentence for everything that is damaged.

    Raises ValueError for a bag of which nothing can be read, FileNotFoundError.
    """
    if not path.exists():
        raise FileNotFoundError(f"no bag {path}")
    notes: list[str] = []
    with ExitStack() as stack:
        yield _opened(path, stack, notes), notes


def messages_of(
    reader: AnyReader, connections: Sequence[Any], notes: list[str]
) -> Iterator[tuple[Any, int, Any]]:
    """Yield (connection, nanoseconds, message) as far as they can be read; note what cannot."""
    bad, read, listed = 0, 0, sum(connection.msgcount for connection in connections)
    try:
        for connection, nanoseconds, raw in reader.messages(connections=connections) if connections else ():
            read += 1
            try:
                plain = packed.message(raw)
                message = _checked(reader.deserialize(plain, connection.msgtype), connection.msgtype)
            except Exception as error:  # the library raises anything for garbage
                bad += 1
                last = f"{connection.topic}: {_said(error)}"
                continue
            yield connection, nanoseconds, message
        if read < listed:
            notes.append(f"the recording lists {listed} messages and holds {read}")
    except Exception as error:
        notes.append(f"the recording is damaged, what follows is not read: {_said(error)}")
    if bad:
        notes.append(f"{bad} messages are damaged, not used; the last one of {last}")


def _checked(message: Any, kind: str) -> Any:
    missing = [name for name in FIELDS.get(kind, ()) if not hasattr(message, name)]
    if missing:
        raise ValueError(f"its definition of {kind} has no {missing[0]!r}")
    return message


def _opened(path: Path, stack: ExitStack, notes: list[str]) -> AnyReader:
    reader, problem = _try([path], stack)
    if reader is not None:
        return reader
    files = _files(path)
    if path.is_dir() and not files:
        raise ValueError(f"{path} is not a readable bag: {_what_it_holds(path) or problem}")
    if path.is_dir():
        problem = problem.replace(f"'{path}' does", f"'{path / 'metadata.yaml'}' does")  # so rosbags meant it
        notes.append(f"{path}: {problem}; {', '.join(file.name for file in files)} in it was read instead")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    plain = [packed.file(file, folder) for file in files or [path]]
    reader, problem = (None, problem) if plain == [path] else _try(plain, stack)
    if reader is not None:
        return reader
    mended = _mended(plain, folder, notes)
    reader, again = _try(mended, stack) if mended else (None, "")
    if reader is None:
        raise ValueError(f"{path} is not a readable bag: {again or problem}")
    return reader


def _what_it_holds(path: Path) -> str:
    bags = [one.name for one in sorted(path.iterdir()) if one.is_dir() and _files(one)]
    if not bags:
        return f"it holds none of {', '.join(FILES)}"
    return f"it holds the bag{'s' * (len(bags) > 1)} {', '.join(bags)}: give one of them"


def _files(path: Path) -> list[Path]:
    """List the files of the first kind that a folder holds."""
    found = [sorted(path.glob(pattern)) for pattern in FILES] if path.is_dir() else []
    return next((files for files in found if files), [])


def _try(paths: list[Path], stack: ExitStack) -> tuple[AnyReader | None, str]:
    try:
        # A bag without definitions (sqlite3 before Iron) has older types: Jazzy's still fit.
        reader = AnyReader(paths, default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except Exception as error:  # assertions, struct.error, those of SQLite and of compression
        return None, _said(error)
    stack.callback(reader.close)
    return reader, ""


def _mended(files: list[Path], folder: Path, notes: list[str]) -> list[Path]:
    """Copy what is whole of every MCAP file that does not open; the others stay as they are."""
    mended = []
    for number, file in enumerate(files):
        with ExitStack() as trial:
            fine = _try([file], trial)[0] is not None
        copy = folder / f"mended_{number}.mcap"
        if fine:
            mended.append(file)
        elif file.suffix == ".mcap" and salvage(file, copy):
            notes.append(f"{file.name} was cut off, what is whole of it was read; `mcap recover` mends it")
            mended.append(copy)
        else:
            notes.append(f"{file.name} cannot be read and was left out")
    return mended


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
