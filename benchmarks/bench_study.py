"""Wall-clock time and peak memory of a whole study, run as a user does.

    python -m benchmarks.bench_study [--study thumos_grid] [KEY=VALUE ...]

Uses a temporary runs folder, so that every trial is trained. Set-up ends when the first trial has its folder: by then
Ray is up and the data is made. Memory is sampled every four seconds, because reading it takes time: the sum over the
command and its descendants of the proportional set size (shared pages counted once) and of the resident set size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.machine import machine

MIB = 2**20
SAMPLE_SECONDS = 4.0


def memory(root: psutil.Process) -> tuple[int, int]:
    """Proportional and resident bytes of a process and its descendants, without those that have just ended."""
    proportional = resident = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            info = process.memory_full_info()
        except psutil.Error:
            continue
        proportional += info.pss
        resident += info.rss
    return proportional, resident


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="thumos_grid")
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    print(machine())
    peaks = [0, 0]
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "tal_search.run", f"study={args.study}", f"runs={runs}", *args.overrides]
        started = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            root = psutil.Process(process.pid)
            began: float | None = None
            sampled = started
            while process.poll() is None:
                if began is None and any(Path(runs).glob("trials/*/lock")):
                    began = time.monotonic()
                if time.monotonic() - sampled >= SAMPLE_SECONDS:
                    peaks = [max(pair) for pair in zip(peaks, memory(root), strict=True)]
                    sampled = time.monotonic()
                time.sleep(0.1)
    seconds = time.monotonic() - started
    print(f"study={args.study} {' '.join(args.overrides)}: exit code {process.returncode}, {seconds:.0f} s")
    print(f"  including {(began or started) - started:.0f} s of set-up")
    print(f"  peak memory of all processes: {peaks[0] / MIB:.0f} MiB proportional, {peaks[1] / MIB:.0f} MiB resident")


if __name__ == "__main__":
    main()
