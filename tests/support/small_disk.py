"""A file system of a few megabytes, which a test can fill."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, options: str = "size=2m") -> Iterator[Path]:
    """A new folder with a tmpfs mounted on it; skips where this process may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Write a file that takes all room but `leave` bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        status = os.statvfs(folder)
        file.write(b"\0" * (status.f_bavail * status.f_frsize - leave))
    return ballast
