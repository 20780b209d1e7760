"""Runs one trial at a time inside a worker of either backend; a file lock keeps other processes off the trial."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tal_search.errors import TalSearchError
from tal_search.execution.out_of_memory import Attempt, limit_memory, out_of_memory
from tal_search.execution.stalls import this_process
from tal_search.files.atomic import write_atomically
from tal_search.files.disk import retry_when_full
from tal_search.files.heartbeat import beat, computes_on, heartbeat, lasting
from tal_search.files.lock_file import open_locked
from tal_search.text.printable import printable_lines, shown_line
from tal_search.text.urls import masked
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec

Step = EpochReport | str | None  # an epoch, a message for the user, or None: a point at which the trial may stop
TrialFunction = Callable[[TrialSpec, TrialFolder], Generator[Step, None, None]]

LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Training:
    """The trial function that trains. Picklable; torch is imported in the worker.

    threads: number of Torch threads, needed because Ray sets OMP_NUM_THREADS=1 in its workers. memory_bytes: limit of
    the trial's process, None = no limit. shared: folder of the features that all trials of a machine share.
    """

    device: str
    checkpoint_every_seconds: float
    threads: int
    memory_bytes: int | None = None
    shared: Path | None = None

    def __call__(self, spec: TrialSpec, folder: TrialFolder) -> Generator[Step, None, None]:
        with lasting("importing libraries"):
            import torch

            from tal_search.execution.compiling import compiling_is_progress
            from tal_search.trial.loop import choose_device
            from tal_search.trial.run import run_trial

        torch.set_num_threads(self.threads)
        computes_on(_named(str(choose_device(self.device))))
        every = self.checkpoint_every_seconds
        with limit_memory(self.memory_bytes), compiling_is_progress():
            yield from run_trial(spec, folder, device=self.device, checkpoint_every_seconds=every, shared=self.shared)


@dataclass(frozen=True)
class Advance:
    """The progress of a trial since the last call: epochs, then whether it finished or the reason why it failed.

    finished: its folder holds the result. notes: sentences for the user about a trial that goes on, such as a damaged
    checkpoint.
    """

    reports: tuple[EpochReport, ...] = ()
    finished: bool = False
    failed: str | None = None
    notes: tuple[str, ...] = ()


class Work:
    """A trial running in this process."""

    def __init__(self, spec: TrialSpec, runs: Path, trial: TrialFunction, driver: str = "") -> None:
        """driver: the process that started this one, by default this process itself."""
        self._spec, self._folder = spec, TrialFolder.of(runs, spec.key)
        self._steps = steps(spec, runs, trial, driver or this_process())

    def advance(self, seconds: float = 0.0) -> Advance:
        """Run whole epochs, at least one, until `seconds` have passed or the trial ends.

        An error of the trial is returned, and its traceback written to the trial's log.
        """
        until = time.monotonic() + seconds
        reports: list[EpochReport] = []
        notes: list[str] = []
        finished, failed = False, None
        try:
            for step in self._steps:
                if isinstance(step, EpochReport):
                    reports.append(step)
                elif step is not None:
                    append_log(self._folder, step)
                    notes.append(step)
                if time.monotonic() >= until:
                    break
            else:
                finished = self._folder.complete(self._spec)
                if not finished:
                    raise RuntimeError("the trial ended without a result for every wanted setting")
        except Exception as error:  # an error of a trial must not end the worker
            failed = self._log(error)
        return Advance(tuple(reports), finished, failed, tuple(notes))

    def close(self) -> None:
        """Save the trial's progress and release its folder."""
        self._steps.close()

    def _log(self, error: Exception) -> str:
        append_log(self._folder, "".join(traceback.format_exception(error)))
        if isinstance(error, TalSearchError):
            return shown_line(str(error).splitlines()[0])
        return shown_line(out_of_memory(error) or f"{type(error).__name__}: {str(error).strip()}".splitlines()[0])


def append_log(folder: TrialFolder, text: str) -> None:
    """Add `text` to the trial's log, which people read in a terminal."""
    text = printable_lines(masked(text))
    before = folder.log.read_bytes() if folder.log.exists() else b""
    write_atomically(folder.log, lambda stream: stream.write(before + text.encode() + b"\n"))


def _named(device: str) -> str:
    """A device by its number on the machine, which Ray hides from its workers."""
    return f"GPU {os.environ.get('CUDA_VISIBLE_DEVICES') or 0}" if device == "cuda" else device


def steps(spec: TrialSpec, runs: Path, trial: TrialFunction, driver: str) -> Generator[Step, None, None]:
    """The trial's steps, under its folder's lock; yields None while another process holds the lock.

    Once the other process has finished the trial, nothing is trained here.
    """
    folder = TrialFolder.of(runs, spec.key)
    while (lock := _locked(folder.path / "lock")) is None:
        yield None
        time.sleep(LOCK_POLL_SECONDS)
    with lock:  # closing it releases the lock, as does the death of the process
        if folder.complete(spec):
            return
        with (
            heartbeat(folder.path, driver),
            Attempt(folder.path) as attempt,
            closing(trial(spec, folder)) as running,
        ):
            for step in running:
                beat()
                attempt.survived()
                yield step


def _locked(path: Path) -> TextIO | None:
    """The file of that name, locked by this process; None while another process holds its lock."""

    def opened() -> tuple[TextIO, bool]:
        path.parent.mkdir(parents=True, exist_ok=True)  # `tal-search gc` may have removed it
        return open_locked(path)

    file, locked = retry_when_full(opened, path.parent)
    if locked:
        return file
    file.close()
    return None
