"""Memory of a trial: a limit on it, the sentence when it runs out, and how a kill by the kernel is recognized.

The kernel ends a process with SIGKILL when its cgroup (or the machine) is full; nobody in it can say so. What remains
is the cgroup's count of such kills: an attempt notes it when it begins, and the next one compares.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tal_search.errors import TalSearchError
from tal_search.files.disk import size_text

LOWER = "lower hyperparameters.batch_size"
FIX = f"run fewer trials at once (resources.concurrent_trials) or {LOWER}"
ALLOCATORS = ("can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc")  # of torch and C++
CGROUPS = Path("/sys/fs/cgroup")


@contextmanager
def limit_memory(count: int | None) -> Iterator[None]:
    """Inside the block an allocation by which this process's own data exceeds `count` bytes fails; None = no limit.

    Own data is heap, stacks and private writable mappings, copy-on-write ones of files included (RLIMIT_DATA). The
    address space would be the wrong measure: libraries and allocators reserve gigabytes of it that they never touch.
    Raises TalSearchError when memory runs out.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if count is not None:
        hard = before[1]
        resource.setrlimit(resource.RLIMIT_DATA, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard))
    try:
        yield
    except Exception as error:
        reason = out_of_memory(error, count)
        if reason is None:
            raise
        raise TalSearchError(reason) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def out_of_memory(error: Exception, limit: int | None = None) -> str | None:
    """The reason for the user where `error` says that memory ran out in this process, on the CPU or the GPU."""
    torch: Any = sys.modules.get("torch")
    known = isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError))
    known |= isinstance(error, OSError) and error.errno == errno.ENOMEM  # of mapping a file
    known |= isinstance(error, RuntimeError) and any(text in str(error) for text in ALLOCATORS)
    if not known:
        return None
    on_gpu = isinstance(error, RuntimeError) and "CPU" not in str(error)
    if on_gpu and torch is not None and torch.cuda.is_initialized():
        return f"out of memory: peak {size_text(torch.cuda.max_memory_allocated())} on the GPU; {FIX}"
    peak = size_text(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    if limit is not None:
        return f"out of memory: peak {peak} of {size_text(limit)} allowed; raise resources.memory_per_trial or {LOWER}"
    return f"out of memory: peak {peak}; {FIX}"


def reset_peaks() -> None:
    """Measure peaks from here on: a worker process runs one trial after the other."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


class Kills(NamedTuple):
    """How many times the kernel has killed for memory, and where that is counted: one place's can be compared."""

    place: str
    times: int


class Attempt:
    """Notes in a trial's folder that this process works on it; gone once the work ends in order, failures included.

    Raises TalSearchError where the last attempt was killed for memory: another would be killed too. The note is gone
    then, so that the next command may try again.
    """

    def __init__(self, folder: Path) -> None:
        self._note, self._kills = folder / "attempt.json", kills()

    def __enter__(self) -> Attempt:
        last = _read(self._note)
        if last is not None and last.place == self._kills.place and last.times < self._kills.times:
            self._note.unlink()
            raise TalSearchError(f"out of memory: its process was killed by the kernel; {_usage()}; {FIX}")
        self._write()
        reset_peaks()
        return self

    def __exit__(self, *_: object) -> None:
        self._note.unlink(missing_ok=True)

    def survived(self) -> None:
        """The process is alive: kills counted until now were not its own."""
        now = kills()
        if now != self._kills:
            self._kills = now
            self._write()

    def _write(self) -> None:
        """Without waiting for the disk: the note has to outlive this process, not the machine."""
        with suppress(OSError):  # a full disk costs the explanation, not the trial
            self._note.write_text(json.dumps({"pid": os.getpid(), **self._kills._asdict()}))


def kills() -> Kills:
    """Of this process's cgroup (v1 or v2), else of the machine."""
    identity = _machine()
    for file in (*(group / name for group in _cgroups() for name in COUNTERS), Path("/proc/vmstat")):
        found = re.search(r"^oom_kill (\d+)$", _text(file), re.MULTILINE)
        if found:
            return Kills(f"{identity} {file}", int(found[1]))
    return Kills(identity, 0)


@cache
def _machine() -> str:
    """One boot of one machine or container."""
    return f"{_text(Path('/proc/sys/kernel/random/boot_id')).strip()} {socket.gethostname()}"


COUNTERS = ("memory.oom_control", "memory.events")  # of cgroup v1 and v2, and so on below
PEAKS = ("memory.max_usage_in_bytes", "memory.peak")
LIMITS = ("memory.limit_in_bytes", "memory.max")


def _cgroups() -> Iterator[Path]:
    """Folders of this process's memory cgroup; inside a container its own is mounted at the top."""
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            top = CGROUPS / "memory" if controllers else CGROUPS
            yield from (top / path.lstrip("/"), top)


def _usage() -> str:
    """Peak and limit of the cgroup's processes together; of a killed process alone nothing is left to read."""
    peak, limit = (_number(names) for names in (PEAKS, LIMITS))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    of = f"{size_text(machine)} of the machine" if limit is None or limit > machine else f"{size_text(limit)} allowed"
    return f"peak {'unknown' if peak is None else size_text(peak)} of all its processes together, of {of}"


def available_memory() -> int:
    """Bytes that new processes may take: what the machine has available, at most what the cgroup allows."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(Path("/proc/meminfo")), re.MULTILINE)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(1024 * int(found[1]) if found else machine, _number(LIMITS) or machine)


def _number(names: tuple[str, ...]) -> int | None:
    texts = (_text(group / name).strip() for group in _cgroups() for name in names)
    return next((int(text) for text in texts if text.isdecimal()), None)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _read(note: Path) -> Kills | None:
    """What the last attempt noted; None where it ended in order, or died while it wrote."""
    try:
        content = json.loads(note.read_text())
        return Kills(str(content["place"]), int(content["times"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
