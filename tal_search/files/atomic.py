"""Atomic file writes: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from tal_search.errors import Problems
from tal_search.files.disk import retry_when_full


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a temporary file beside `path` with `write`, flush it to disk, then rename it to `path`.

    On a full disk the temporary file is removed, `path` stays as it was, and the call waits for free space. The content
    is made in memory first, because libraries that write a file piece by piece cannot resume after a failed write.
    """
    content = io.BytesIO()
    write(content)
    retry_when_full(lambda: replace_file(path, content.getbuffer()), path.parent, content.getbuffer().nbytes)


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write `content` atomically without waiting.

    Raises OSError where the disk is full or cannot be written, or where a folder or a device has the name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # renaming would replace a device such as /dev/full
        raise OSError(errno.EEXIST, "is there, but is no file", str(path))
    temporary = path.parent / f".{path.name}.{os.getpid()}-{threading.get_ident()}"  # written by this thread only
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: object) -> None:
    """Write JSON atomically. Raises ValueError where a number is not finite."""
    text = json.dumps(content, indent=1, allow_nan=False)
    write_atomically(path, lambda stream: stream.write(text.encode()))


def require_apart(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None]) -> None:
    """Raises InputError where a file to write is no regular file, one of the files to read, or to be written twice.

    outputs: by the key of the command; None: not given. Links are followed, so another name of the same file is found.
    """
    problems, taken = Problems(), {path.resolve(): key for key, path in outputs.items() if path is not None}
    if not taken:
        return
    read = [path for path in inputs if path is not None]
    for key, path in outputs.items():
        if path is None:
            continue
        same = next((other for other in read if _is_same(path, other)), None)
        if path.is_dir():
            problems.add(f"command line: {key}={path} is a folder; give a file")
        elif path.exists() and not path.is_file():  # else /dev/null would be replaced by a file
            problems.add(f"command line: {key}={path} is a pipe or a device; give a file, or leave {key}= out")
        elif not next(folder for folder in path.absolute().parents if folder.exists()).is_dir():
            problems.add(f"command line: {key}={path} lies in a file, not in a folder; give another path")
        elif same is not None:
            problems.add(f"command line: {key}={path} is the same file as {same}, which is read; give another file")
        elif taken[path.resolve()] != key:
            problems.add(f"command line: {key}= and {taken[path.resolve()]}= are the same file, {path}; give two")
    problems.raise_if_any()


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them does not exist
        return False
