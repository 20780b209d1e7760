"""A study that a driver in another process holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from tal_search.record.driver_lock import lock_study
with lock_study(Path(sys.argv[1]), sys.argv[2] or None):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(folder: Path, record: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of the study in `folder`, and of its record if that has a URL."""
    command = [sys.executable, "-c", HOLDER, str(folder), record]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.communicate("")
