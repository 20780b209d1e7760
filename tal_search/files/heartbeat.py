"""Heartbeat of the trial in this process: a small file that says at which step it is, so that others notice a stall.

Code that works calls `beat` at each step, which only counts. A thread writes the file about once a second, but only if
there was a step since: a stopped process, an endless loop and a read that never returns all leave the file as it is.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tal_search.files.threads import repeated

FILE = "heartbeat.json"  # in a trial's folder while a process holds it
WRITE_SECONDS = 1.0
WIDTH = 1024  # bytes; the file is overwritten in place, so that a full disk has room for it
LONGEST = 100  # characters of a step's words
NO_DEVICE = "device unknown"


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """The newest step of a process that runs a trial.

    doing: the step in words; device: where it computes; driver: the process that started it ("process 7 on HOST").
    """

    doing: str
    device: str
    pid: int
    host: str
    driver: str

    @property
    def process(self) -> str:
        return f"process {self.pid} on {self.host}"


class _Steps:
    """Steps of this process: their number, the newest one as a format with its values, and running `lasting` blocks."""

    def __init__(self) -> None:
        self.count = self.lasting = 0
        self.newest: tuple[str, tuple[object, ...]] = ("starting", ())  # one value: another thread reads it
        self.device = NO_DEVICE
        self.followed: Path | None = None


_steps = _Steps()


def beat(words: str = "", *values: object) -> None:
    """Count a step, called `words % values`, or like the one before. Costs less than a microsecond."""
    _steps.count += 1
    if words:
        _steps.newest = words, values


def computes_on(device: str) -> None:
    """Set the name of the device that this process computes on."""
    _steps.device = device


@contextmanager
def lasting(words: str) -> Iterator[None]:
    """A single long call, such as compiling: counts as progress for as long as the process runs."""
    beat(words)
    _steps.lasting += 1
    try:
        yield
    finally:
        _steps.lasting -= 1


@contextmanager
def followed(file: Path) -> Iterator[None]:
    """Touch `file` with every write of the heartbeat, for processes that wait for this one without its trial."""
    before, _steps.followed = _steps.followed, file
    try:
        yield
    finally:
        _steps.followed = before


@contextmanager
def heartbeat(folder: Path, driver: str) -> Iterator[None]:
    """Write this process's steps to `folder` until the block ends, which removes the file."""
    path, seen = folder / FILE, -1
    _steps.device = NO_DEVICE
    beat("starting")

    def write() -> None:
        nonlocal seen
        if _steps.count != seen or _steps.lasting:
            seen = _steps.count
            _write(path, driver)

    write()
    try:
        with repeated(write, WRITE_SECONDS, name="heartbeat"):
            yield
    finally:
        with suppress(OSError):
            path.unlink()


def read_heartbeat(content: bytes) -> Heartbeat | None:
    """The heartbeat in a file's content; None where it is empty, damaged or being written."""
    try:
        values = json.loads(content)
        words = {name: str(values[name]) for name in ("doing", "device", "host", "driver")}
        return Heartbeat(**words, pid=int(values["pid"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _write(path: Path, driver: str) -> None:
    """Without waiting: on a full disk the file gets a new time at least, or the next second's write succeeds."""
    host = socket.gethostname()
    content = _content(Heartbeat(doing=_doing(), device=_steps.device, pid=os.getpid(), host=host, driver=driver))
    with suppress(OSError):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(handle, content)
            finally:
                os.close(handle)
        finally:
            os.utime(path)
    if _steps.followed is not None:
        with suppress(OSError):
            os.utime(_steps.followed)


def _doing() -> str:
    """The newest step in words; its format alone where the values do not fit it, as this must not end the thread."""
    words, values = _steps.newest
    try:
        return (words % values if values else words)[:LONGEST]
    except Exception:
        return words[:LONGEST]


def _content(now: Heartbeat) -> bytes:
    """JSON of WIDTH bytes; what is too long in it, first of all its longest words, loses characters at the end."""
    values = asdict(now)
    texts = [name for name, value in values.items() if isinstance(value, str)]
    while len(content := json.dumps(values).encode()) > WIDTH:
        longest = max(texts, key=lambda name: len(json.dumps(values[name])))
        values[longest] = values[longest][:-1]
    return content.ljust(WIDTH)
