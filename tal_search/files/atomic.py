"""Files written atomically: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tal_search.files.disk import retry_when_full


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Have `write` fill a temporary file beside `path`, flush it to disk, then rename it over `path`.

    On a full disk the temporary file is removed, `path` stays as it was, and the call waits until there is room. The
    content is made in memory first: libraries that write parts of a file at a time do not survive a failing stream.
    """
    content = io.BytesIO()
    write(content)
    retry_when_full(lambda: replace_file(path, content.getbuffer()), path.parent, content.getbuffer().nbytes)


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """The same of content in memory, without the wait: raises OSError where the disk is full or cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}-{threading.get_ident()}"  # one writer of it: this thread
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, allow_nan=False)
    write_atomically(path, lambda stream: stream.write(text.encode()))
