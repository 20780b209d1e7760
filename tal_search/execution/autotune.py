"""`resources.trials_per_device: auto`: measures how many trials at once give the most training steps a second.

For each number tried, that many processes train the study's centre for a moment at the same time.
`python -m tal_search.execution.autotune` is such a process.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tal_search.errors import TalSearchError
from tal_search.execution.out_of_memory import available_memory
from tal_search.files.disk import size_text
from tal_search.trial.trial_types import TrialSpec

ROUND_SECONDS = 2.0  # of training at the same time, for each number tried
GAIN = 1.05  # smallest speed-up for which more processes are worth their memory
USABLE = 0.8  # fraction of the free memory; evaluation may need more than a step
CONTEXT_BYTES = 2**29  # CUDA context of each process, in addition to its tensors


@dataclass(frozen=True)
class Packing:
    """Trials to run at once on a device ("cpu": the whole machine; "cuda": each GPU), and the reason as a sentence."""

    trials: int
    device: str
    sentence: str


class _Round(NamedTuple):
    """Steps per second of all processes together, their device, the largest need of one process, and the free bytes."""

    rate: float
    device: str
    need: int
    room: int


def best_packing(spec: TrialSpec, settings: Mapping[str, object], most: int, seconds: float) -> Packing:
    """Measure 1, 2, 3, 4, 8, ... and finally `most` trials at once, until more are no faster or do not fit into memory.

    settings: `device`, `threads` and `shared` of the trials; seconds: length of each measurement. Raises
    TalSearchError if not even one trial can be measured.
    """
    counts = [*(count for count in (1, 2, 3, 4, 8, 16, 32, 64) if count < most), most]
    rounds: dict[int, _Round] = {}
    best, limit = 1, ""
    with _Processes({**settings, "spec": spec.to_json()}, available_memory()) as processes:
        for count in counts:
            if rounds and count * rounds[best].need > USABLE * rounds[best].room:
                limit = f"; {count} would not fit into memory"
                break
            try:
                rounds[count] = processes.round(count, seconds)
            except TalSearchError:
                if count == 1:
                    raise
                limit = f"; of {count} one died"
                break
            if count > 1 and rounds[count].rate < GAIN * rounds[best].rate:
                break
            best = count
    tried = ", ".join(f"{count}: {measured.rate:.1f}" for count, measured in rounds.items())
    chosen = rounds[best]
    where, setting = "this machine", f"concurrent_trials={best}"
    if chosen.device == "cuda":
        where, setting = "each GPU", f"gpus_per_trial={1 / best:.4g}"
    sentence = (
        f"resources.trials_per_device=auto: {best} at once on {where}, the same as resources.{setting} (steps a second "
        f"by trials at once: {tried}{limit}; {size_text(chosen.need)} each, {size_text(chosen.room)} free)"
    )
    return Packing(best, chosen.device, sentence)


class _Processes:
    """Processes ready to train in the next round; they end with the `with` block or with this process."""

    def __init__(self, task: Mapping[str, object], free: int) -> None:
        self._task, self._free = json.dumps(task), free
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()
            process.communicate()

    def round(self, count: int, seconds: float) -> _Round:
        while len(self._running) < count:
            command = [sys.executable, "-m", "tal_search.execution.autotune"]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)  # noqa: S603
            self._running.append(process)
            self._write(process, self._task)
        for process in self._running:
            self._read(process)  # it is ready
        for process in self._running:
            self._write(process, str(seconds))
        answers = [json.loads(self._read(process)) for process in self._running]
        room = answers[0]["room"] or self._free
        rate, need = sum(answer["rate"] for answer in answers), max(answer["need"] for answer in answers)
        return _Round(rate, answers[0]["device"], need, room)

    def _write(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died; reading its answer reports that
            process.stdin.write(f"{line}\n")
            process.stdin.flush()

    def _read(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            last = (process.communicate()[1].strip().splitlines() or ["killed"])[-1]
            raise TalSearchError(
                f"resources.trials_per_device=auto: a process that measures training steps died ({last}); "
                "set resources.concurrent_trials instead"
            )
        return line


def _serve() -> None:
    """The child process of `_Processes`: reads its task, then the seconds of each round."""
    import numpy as np
    import torch

    from tal_search.data.load import load
    from tal_search.trial.loop import choose_device, fit_of

    task = json.loads(sys.stdin.readline())
    torch.set_num_threads(task["threads"])
    spec, device = TrialSpec.from_json(task["spec"]), choose_device(task["device"])
    dataset = load(spec.dataset, spec.annotator, spec.supervision, Path(task["shared"]))
    longest = np.argsort(-dataset.train.timeline.length, kind="stable")  # as they need most memory
    rows = longest[: spec.hyperparameters["batch_size"]]
    fit = fit_of(spec, dataset, rows, device)  # one batch: an epoch is a step
    steps = 1
    fit.epoch(steps)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        began, first = time.monotonic(), steps
        while steps == first or time.monotonic() - began < float(line):
            steps += 1
            fit.epoch(steps)
        rate = (steps - first) / (time.monotonic() - began)
        need, room = _own_bytes(), 0
        if device.type == "cuda":
            need, room = torch.cuda.max_memory_reserved() + CONTEXT_BYTES, torch.cuda.mem_get_info()[1]
        sys.stdout.write(json.dumps({"rate": rate, "device": device.type, "need": need, "room": room}) + "\nready\n")
        sys.stdout.flush()


def _own_bytes() -> int:
    """Peak of this process without mapped files: libraries and features are shared by all processes."""
    status = Path("/proc/self/status").read_text()
    peak, files = (int(re.findall(rf"^{name}:\s+(\d+)", status, re.MULTILINE)[0]) for name in ("VmHWM", "RssFile"))
    return 1024 * max(0, peak - files)


if __name__ == "__main__":
    _serve()
