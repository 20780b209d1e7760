"""One copy of a dataset's arrays for all processes of a machine: written once, then memory-mapped by each trial.

FOLDER/KEY/ holds an npy file for each array of both splits, and `manifest.json` with the videos' names, each file's
size and checksum, and a checksum of its own. Processes that map the same file share its pages, which are read-only. A
mapped file may be removed or replaced, but never shortened: reading past its new end would kill the process.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal, TextIO, TypedDict

import numpy as np

from tal_search.errors import InputError, Problems
from tal_search.files.checked import read_sealed, sealed
from tal_search.files.heartbeat import beat, followed
from tal_search.files.untrusted import read_header
from tal_search.types import VideoSet

MANIFEST = "manifest.json"
SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "test")
ARRAYS = ("features", "labels", "duration", "frames", "background_clicks")
TIMES = ("length", "start", "extent")  # further arrays of videos with their stored snippets
PACKAGE = Path(__file__).parents[2]
CHUNK_BYTES = 1 << 20
LOCK_POLL_SECONDS = 0.2

Splits = tuple[VideoSet, VideoSet]  # training, test


class SplitEntry(TypedDict):
    """A split in a manifest: its videos, and size and checksum of each array's file."""

    videos: tuple[str, ...]
    files: dict[str, list[int]]


def place_of(folder: Path, fingerprint: str, snippets: int) -> Path:
    """The folder for arrays of this content and length, as this version of the code makes them."""
    return folder / hashlib.sha256(f"{fingerprint} {snippets} {readers_version(PACKAGE)}".encode()).hexdigest()[:20]


@cache
def readers_version(package: Path) -> str:
    """Hash of all code in `package` that reads data: after any change there, arrays are made again."""
    files = sorted(path for folder in ("data", "files") for path in (package / folder).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def shared_splits(place: Path, make: Callable[[Path | None], Splits], notes: list[str]) -> Splits:
    """Both splits, mapped from the folder `place`; the first process makes them there while the others wait.

    make: is given a folder where it may write features to a mapped file, or None. A damaged folder is made again; where
    none can be written (a full or read-only disk), the arrays stay in this process. Either adds a note. Raises the
    errors of `make`.
    """
    splits = _opened(place, notes)
    if splits is not None:
        return splits
    with _locked(place) as problem:
        if problem is not None:
            notes.append(_not_shared(place, problem))
            return make(None)
        splits = _opened(place, [])  # another process may have made it meanwhile
        return _placed(place, make, notes) if splits is None else splits


def _placed(place: Path, make: Callable[[Path | None], Splits], notes: list[str]) -> Splits:
    """Write the splits and return them mapped, so that this process frees its copy."""
    unfinished, before = place.with_name(f"{place.name}.unfinished"), len(notes)  # one writer: the holder of the lock
    try:
        for old in (unfinished, place):  # left by a killed writer; damaged
            shutil.rmtree(old, ignore_errors=True)
        unfinished.mkdir(parents=True)
        splits = make(unfinished)
        _write(unfinished, splits)
        unfinished.rename(place)
    except OSError as error:
        notes[before:] = [_not_shared(place, error)]
        return make(None)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return _opened(place, notes) or splits


def _write(folder: Path, splits: Splits) -> None:
    """Write all arrays but the features that `make` wrote. Raises OSError where they would leave less free space than
    their own size: trials need room for checkpoints.
    """
    names = ARRAYS if splits[0].length is None else (*ARRAYS, *TIMES)
    arrays = {
        (split, name): getattr(videos, name) for split, videos in zip(SPLITS, splits, strict=True) for name in names
    }
    left = {key: array for key, array in arrays.items() if not array_file(folder, *key).exists()}
    if shutil.disk_usage(folder).free < sum(array.nbytes for array in (*arrays.values(), *left.values())):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for key in arrays:
        with array_file(folder, *key).open("ab") as stream:
            if key in left:
                np.save(stream, left[key])
            stream.flush()
            os.fsync(stream.fileno())  # a full network file system raises only here
    manifest: dict[str, object] = {
        split: {
            "videos": videos.videos,
            "files": {name: size_and_checksum(array_file(folder, split, name)) for name in names},
        }
        for split, videos in zip(SPLITS, splits, strict=True)
    }
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))


def _opened(place: Path, notes: list[str]) -> Splits | None:
    """The splits in `place`, checked and mapped; None where there are none, and with a note where they are damaged."""
    if not place.is_dir():
        return None
    try:
        manifest = read_sealed(place / MANIFEST)
        train, test = (mapped(place, split, manifest[split]) for split in SPLITS)
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        notes.append(f"{place} is damaged ({error}); the features were read again")
        return None
    return train, test


def mapped(place: Path, split: str, entry: SplitEntry, *, checked: bool = True) -> VideoSet:
    """One split. Raises ValueError or InputError where a file is not the one written; not `checked`: only by size."""
    arrays = {}
    for name in (*ARRAYS, *(name for name in TIMES if name in entry["files"])):
        path, wanted = array_file(place, split, name), entry["files"][name]
        seen = size_and_checksum(path) if checked else [path.stat().st_size, wanted[1]]
        if seen != wanted:
            raise ValueError(f"{path.name} has size and checksum {seen}, not {wanted}")
        _require_header(path)
        arrays[name] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    _require_fitting(arrays, len(entry["videos"]))
    return VideoSet.labelled(videos=tuple(entry["videos"]), **arrays)


def _require_fitting(arrays: dict[str, np.ndarray], count: int) -> None:
    """Raise ValueError where the arrays do not fit together as those of `count` videos."""
    snippets = arrays["features"].shape[-1:]
    wanted: dict[str, tuple[str, tuple[int | None, ...]]] = {  # kind of numbers, shape (None: any)
        "features": ("f", (count, None, *snippets)), "labels": ("f", (count, None)), "duration": ("f", (count,)),
        "frames": ("i", (count,)), "background_clicks": ("b", (count, *snippets)),
        "length": ("i", (count,)), "start": ("f", (count,)), "extent": ("f", (count,)),
    }  # fmt: skip
    for name, array in arrays.items():
        kind, shape = wanted[name]
        fits = len(array.shape) == len(shape) and all(map(lambda got, want: want in (None, got), array.shape, shape))
        if not fits or array.dtype.kind != kind:
            raise ValueError(f"{name} are {array.dtype} of shape {array.shape}, not {shape}".replace("None", "any"))


def _require_header(path: Path) -> None:
    """Raise ValueError or InputError where the file is not one array of plain numbers, as its header claims."""
    problems = Problems()
    with path.open("rb") as stream:
        read_header(stream, path.name, path.stat().st_size, problems)
    problems.raise_if_any()


def array_file(folder: Path, split: str, name: str) -> Path:
    return folder / f"{split}_{name}.npy"


def size_and_checksum(path: Path) -> list[int]:
    """Bytes and CRC-32, which detects damage but not tampering."""
    size = checksum = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            beat("reading %s", path.name)
            size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
    return [size, checksum]


@contextmanager
def _locked(place: Path) -> Iterator[OSError | None]:
    """Hold the lock of `place`; yields the error where it cannot be taken (no permission, a read-only disk)."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        path = place.with_name(f"{place.name}.lock")
        lock = path.open("a")
    except OSError as error:
        yield error
        return
    with lock:  # the lock is released when the file is closed or the process ends
        try:
            _take(lock)
        except OSError as error:
            yield error
            return
        with followed(path):
            yield None


def _take(lock: TextIO) -> None:
    """Take the lock. A process that waits for it makes progress as long as the holder does, which touches the file."""
    seen = -1
    while True:
        try:
            return fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if seen != (seen := os.fstat(lock.fileno()).st_mtime_ns):
                beat("waiting for the process that reads the features")
            time.sleep(LOCK_POLL_SECONDS)


def _not_shared(place: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{place} cannot be written ({reason}); every trial of this machine keeps its own copy of the features"
