"""Atomic file writes: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

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
