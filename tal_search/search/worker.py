"""What runs inside a worker, whichever backend started it: one trial at a time, never one trial in two processes."""

from __future__ import annotations

import fcntl
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tal_search.errors import InputError
from tal_search.trial_folder import TrialFolder
from tal_search.types import EpochReport, TrialResult, TrialSpec

TrialFunction = Callable[[TrialSpec, TrialFolder], Iterator[EpochReport]]

LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Training:
    """The real trial function. Picklable; torch is imported where it runs.

    threads: of torch, because Ray sets OMP_NUM_THREADS=1 in its workers.
    """

    device: str
    checkpoint_every_seconds: float
    threads: int

    def __call__(self, spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport]:
        import torch

        from tal_search.trial import run_trial

        torch.set_num_threads(self.threads)
        yield from run_trial(spec, folder, device=self.device, checkpoint_every_seconds=self.checkpoint_every_seconds)


@dataclass(frozen=True)
class Advance:
    """What a trial did since it was last asked: epochs, then its result or the reason it failed."""

    reports: tuple[EpochReport, ...] = ()
    result: TrialResult | None = None
    failed: str | None = None


class Work:
    """A trial under way in this process."""

    def __init__(self, spec: TrialSpec, runs: Path, trial: TrialFunction) -> None:
        self._folder = TrialFolder.of(runs, spec.key)
        self._steps = steps(spec, runs, trial)

    def advance(self, seconds: float = 0.0) -> Advance:
        """Run whole epochs, at least one, until `seconds` have passed or the trial ends.

        An error of the trial is returned, and its traceback written to the trial's log.
        """
        until = time.monotonic() + seconds
        reports = []
        try:
            for report in self._steps:
                if report is not None:
                    reports.append(report)
                if report is None or time.monotonic() >= until:
                    return Advance(tuple(reports))
            result = self._folder.result()
            if result is None:
                raise RuntimeError("the trial ended without a result")
        except Exception as error:  # whatever a trial raises concerns this trial alone
            return Advance(tuple(reports), failed=self._log(error))
        return Advance(tuple(reports), result=result)

    def close(self) -> None:
        """Save the trial's progress and release its folder."""
        self._steps.close()

    def _log(self, error: Exception) -> str:
        append_log(self._folder, "".join(traceback.format_exception(error)))
        if isinstance(error, InputError):
            return error.problems[0]
        return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


def append_log(folder: TrialFolder, text: str) -> None:
    """Add `text` to the trial's log."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.log.open("a") as log:
        log.write(text + "\n")


def steps(spec: TrialSpec, runs: Path, trial: TrialFunction) -> Generator[EpochReport | None, None, None]:
    """The trial's epochs, holding its folder's lock; None while another process holds it.

    Once the other process is done its result is this one's too, and nothing is trained.
    """
    folder = TrialFolder.of(runs, spec.key)
    with _opened(folder.path / "lock") as lock:
        while not _locked(lock):
            yield None
            time.sleep(LOCK_POLL_SECONDS)
        if folder.result() is None:
            yield from trial(spec, folder)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:  # closing it releases the lock, and so does the death of the process
        yield file.fileno()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
