"""One copy of a dataset's arrays for every process of a machine: written once, then memory-mapped by each trial.

FOLDER/KEY/ holds an npy file for each array of both splits, and `manifest.json` with the videos' names and each file's
size and checksum. Processes that map the same file share its pages, and none can write to them. A mapped file may be
removed or replaced, but never shortened.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tal_search.files.untrusted import read_header
from tal_search.types import VideoSet

MANIFEST = "manifest.json"
SPLITS = ("train", "test")
ARRAYS = ("features", "labels", "duration", "frames", "background_clicks")
DATA = Path(__file__).parents[1]
CHUNK_BYTES = 1 << 20

Splits = tuple[VideoSet, VideoSet]  # training, test


def place_of(folder: Path, fingerprint: str, snippets: int) -> Path:
    """The folder for arrays of this content and length, as this version of the code makes them."""
    return folder / hashlib.sha256(f"{fingerprint} {snippets} {_makers_version()}".encode()).hexdigest()[:20]


def shared_splits(place: Path, make: Callable[[Path | None], Splits], notes: list[str]) -> Splits:
    """Both splits, mapped from the folder `place`; the first process to come makes them there, the others wait for it.

    make: gets the folder in which it may write features through a map of their own file, or None. A damaged folder is
    made again; where none can be written (a full or read-only disk), the arrays are this process's own. Either adds a
    sentence to `notes`. Raises what `make` raises.
    """
    found = _opened(place, notes)
    if found is not None:
        return found
    with _locked(place) as problem:
        if problem is not None:
            notes.append(_not_shared(place, problem))
            return make(None)
        found = _opened(place, [])  # another process may have made it meanwhile
        return _placed(place, make, notes) if found is None else found


def _placed(place: Path, make: Callable[[Path | None], Splits], notes: list[str]) -> Splits:
    """Write the splits and give them back mapped, so that this process lets go of its own copy."""
    unfinished, said = place.with_name(f"{place.name}.unfinished"), len(notes)  # one writer: the holder of the lock
    try:
        for old in (unfinished, place):  # what a killed writer left; what is damaged
            shutil.rmtree(old, ignore_errors=True)
        unfinished.mkdir(parents=True)
        splits = make(unfinished)
        _write(unfinished, splits)
        unfinished.rename(place)
    except OSError as error:
        notes[said:] = [_not_shared(place, error)]
        return make(None)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return _opened(place, notes) or splits


def _write(folder: Path, splits: Splits) -> None:
    """Features that `make` wrote are there. Raises OSError where the files would leave less than their own size free:
    trials need room for checkpoints.
    """
    arrays = {
        (split, name): getattr(videos, name) for split, videos in zip(SPLITS, splits, strict=True) for name in ARRAYS
    }
    left = {key: array for key, array in arrays.items() if not array_file(folder, *key).exists()}
    if shutil.disk_usage(folder).free < sum(array.nbytes for array in (*arrays.values(), *left.values())):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for key in arrays:
        with array_file(folder, *key).open("ab") as stream:
            if key in left:
                np.save(stream, left[key])
            stream.flush()
            os.fsync(stream.fileno())  # a network file system says only now that it is full
    manifest = {
        split: {
            "videos": videos.videos,
            "files": {name: size_and_checksum(array_file(folder, split, name)) for name in ARRAYS},
        }
        for split, videos in zip(SPLITS, splits, strict=True)
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _opened(place: Path, notes: list[str]) -> Splits | None:
    """What another process left in `place`, checked and mapped; None, with a note, where that is damaged."""
    if not place.is_dir():
        return None
    try:
        manifest = json.loads((place / MANIFEST).read_text())
        train, test = (mapped(place, split, manifest[split]) for split in SPLITS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        notes.append(f"{place} is damaged ({error}); the features were read again")
        return None
    return train, test


def mapped(place: Path, split: str, entry: dict[str, Any], *, checked: bool = True) -> VideoSet:
    """One split. Raises ValueError where a file is not the one that was written; not `checked`: by its size alone."""
    arrays = {}
    for name in ARRAYS:
        path, wanted = array_file(place, split, name), entry["files"][name]
        seen = size_and_checksum(path) if checked else [path.stat().st_size, wanted[1]]
        if seen != wanted:
            raise ValueError(f"{path.name} has size and checksum {seen}, not {wanted}")
        _require_header(path)
        arrays[name] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    _require_fitting(arrays, len(entry["videos"]))
    return VideoSet.labelled(videos=tuple(entry["videos"]), **arrays)


def _require_fitting(arrays: dict[str, NDArray[Any]], count: int) -> None:
    """Raises ValueError where the arrays do not fit together, of so many videos."""
    snippets = arrays["features"].shape[-1:]
    wanted: dict[str, tuple[str, tuple[int | None, ...]]] = {  # kind of numbers, shape (None: any)
        "features": ("f", (count, None, *snippets)), "labels": ("f", (count, None)), "duration": ("f", (count,)),
        "frames": ("i", (count,)), "background_clicks": ("b", (count, *snippets)),
    }  # fmt: skip
    for name, (kind, shape) in wanted.items():
        array = arrays[name]
        fits = len(array.shape) == len(shape) and all(map(lambda got, want: want in (None, got), array.shape, shape))
        if not fits or array.dtype.kind != kind:
            raise ValueError(f"{name} are {array.dtype} of shape {array.shape}, not {shape}".replace("None", "any"))


def _require_header(path: Path) -> None:
    """Raises ValueError where the file is not the one array of plain numbers that its header states."""
    problems: list[str] = []
    with path.open("rb") as stream:
        read_header(stream, path.name, path.stat().st_size, problems)
    if problems:
        raise ValueError(problems[0])


def array_file(folder: Path, split: str, name: str) -> Path:
    return folder / f"{split}_{name}.npy"


def size_and_checksum(path: Path) -> list[int]:
    """Bytes and CRC-32: against damage, not against malice."""
    size = checksum = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
    return [size, checksum]


@contextmanager
def _locked(place: Path) -> Iterator[OSError | None]:
    """Holds the one lock of `place`; gives the reason where it cannot be had (no such right, a read-only disk)."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = place.with_name(f"{place.name}.lock").open("a")
    except OSError as error:
        yield error
        return
    with lock:  # closing it releases the lock, and so does the death of the process
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        except OSError as error:
            yield error
            return
        yield None


def _not_shared(place: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{place} cannot be written ({reason}); every trial of this machine keeps features of its own in memory"


@cache
def _makers_version() -> str:
    """Of all code that reads data: arrays are made again after any change there, which costs no training."""
    files = sorted([*DATA.rglob("*.py"), *DATA.with_name("files").glob("*.py")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
