"""Memory of a trial: its limit, the error message when it runs out, and detection of kills by the kernel.

The kernel ends a process with SIGKILL when its cgroup (or the machine) is full, so the process itself reports nothing.
The cgroup counts such kills: an attempt notes the count when it begins, and the next attempt compares.
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
from typing import NamedTuple

from tal_search.errors import TalSearchError
from tal_search.files.disk import size_text

LOWER = "lower hyperparameters.batch_size"
FIX = f"run fewer trials at once (resources.concurrent_trials) or {LOWER}"
# Torch's CPU allocator, C++ and the CUDA driver all raise a plain RuntimeError, with one of these texts.
ALLOCATORS = ("can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc")
CGROUPS = Path("/sys/fs/cgroup")


@contextmanager
def limit_memory(count: int | None) -> Iterator[None]:
    """Limit this process's own data to `count` bytes inside the block; None = no limit.

    Own data is heap, stacks and private writable mappings, copy-on-write mappings of files included (RLIMIT_DATA). A
    limit on the address space would not work: libraries and allocators reserve gigabytes that they never touch.
    Raises TalSearchError when an allocation fails.
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
    """The message for the user if `error` means that this process ran out of memory, on the CPU or the GPU."""
    torch = sys.modules.get("torch")
    known = isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError))
    known |= isinstance(error, OSError) and error.errno == errno.ENOMEM  # from mapping a file
    known |= isinstance(error, RuntimeError) and any(text in str(error) for text in ALLOCATORS)
    if not known:
        return None
    on_gpu = torch is not None and isinstance(error, torch.OutOfMemoryError | torch.AcceleratorError)
    if torch is not None and on_gpu and torch.cuda.is_initialized():
        return f"out of memory: peak {size_text(torch.cuda.max_memory_allocated())} on the GPU; {FIX}"
    peak = size_text(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    if limit is not None:
        return f"out of memory: peak {peak} of {size_text(limit)} allowed; raise resources.memory_per_trial or {LOWER}"
    return f"out of memory: peak {peak}; {FIX}"


def reset_peaks() -> None:
    """Reset the peak counters: a worker process runs many trials, and each reports its own peak."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


class Kills(NamedTuple):
    """Number of out-of-memory kills, and the counter it was read from; only numbers of one counter are comparable."""

    place: str
    times: int


class Attempt:
    """A marker file in a trial's folder while a process works on it; removed when the process is done, even on failure.

    Raises TalSearchError if the last attempt was killed for lack of memory, since another would be killed too. The
    marker is then removed, so that the next command tries again.
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
        """Store the current count: this process is alive, so all kills so far were of other processes."""
        now = kills()
        if now != self._kills:
            self._kills = now
            self._write()

    def _write(self) -> None:
        """Without fsync: the note must survive this process, not the machine."""
        with suppress(OSError):  # on a full disk the explanation is lost, not the trial
            self._note.write_text(json.dumps({"pid": os.getpid(), **self._kills._asdict()}))


def kills() -> Kills:
    """Kills in this process's cgroup (v1 or v2), else on the machine."""
    identity = _machine()
    for file in (*(group / name for group in cgroups() for name in COUNTERS), Path("/proc/vmstat")):
        count = re.search(r"^oom_kill (\d+)$", _text(file), re.MULTILINE)
        if count:
            return Kills(f"{identity} {file}", int(count[1]))
    return Kills(identity, 0)


@cache
def _machine() -> str:
    """Identifies one boot of one machine or container."""
    return f"{_text(Path('/proc/sys/kernel/random/boot_id')).strip()} {socket.gethostname()}"


COUNTERS = ("memory.oom_control", "memory.events")  # cgroup v1 and v2, as below
PEAKS = ("memory.max_usage_in_bytes", "memory.peak")
LIMITS = ("memory.limit_in_bytes", "memory.max")


def cgroups() -> Iterator[Path]:
    """Folders of this process's memory cgroup; a container's own cgroup is mounted at the top."""
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            top = CGROUPS / "memory" if controllers else CGROUPS
            yield from (top / path.lstrip("/"), top)


def _usage() -> str:
    """Peak and limit of all processes of the cgroup; the kernel keeps none for a single killed process."""
    peak, limit = (_number(names) for names in (PEAKS, LIMITS))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    of = f"{size_text(machine)} of the machine" if limit is None or limit > machine else f"{size_text(limit)} allowed"
    return f"peak {'unknown' if peak is None else size_text(peak)} of all its processes together, of {of}"


def available_memory() -> int:
    """Bytes available to new processes: the machine's available memory, at most the cgroup's limit."""
    available = re.search(r"^MemAvailable:\s+(\d+) kB", _text(Path("/proc/meminfo")), re.MULTILINE)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(1024 * int(available[1]) if available else machine, _number(LIMITS) or machine)


def _number(names: tuple[str, ...]) -> int | None:
    texts = (_text(group / name).strip() for group in cgroups() for name in names)
    return next((int(text) for text in texts if text.isdecimal()), None)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _read(note: Path) -> Kills | None:
    """The last attempt's note; None after a regular end, or where the process died while writing it."""
    try:
        content = json.loads(note.read_text())
        return Kills(str(content["place"]), int(content["times"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
