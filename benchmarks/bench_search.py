"""Overhead of the search, measured with trials that train nothing.

    python -m benchmarks.bench_search [inline|ray] [PART ...]

Parts: noop (1 000 trials that do nothing), second (trials of one second, two at once, compared with the ideal), propose
(TPE after 1 000 finished cells), reopen (a finished study of 10 000 trials: preview, and the same command again),
memory (the driver's resident memory at trial 1 000 and 10 000). By default all parts. MLflow is off, as in the targets.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import optuna

from benchmarks.machine import machine
from tal_search.execution.driver import run_study
from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preview import preview
from tal_search.proposers.events import Event, Finished
from tal_search.proposers.sampled import Sampled
from tal_search.record.record import Record
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec

CELLS = 5  # of the quickstart study
TIOU = (0.3, 0.5, 0.7)


def result_of(spec: TrialSpec) -> TrialResult:
    """An invented result; held-out mAP depends on the seed."""
    return TrialResult(
        key=spec.key, selected_epoch=1, tiou=TIOU, mAP=(0.3, 0.2, 0.1), holdout_mAP=(0.3, 0.2 + spec.seed / 1e6, 0.1),
        best_on_test_epoch=None, best_on_test_mAP=None, detections=1, parameters=1, seconds=0.0,
    )  # fmt: skip


def nothing(spec: TrialSpec, folder: TrialFolder) -> Generator[None, None, None]:
    """A trial that only writes its result."""
    yield None
    folder.write_spec(spec)
    folder.write_result(result_of(spec))


def one_second(spec: TrialSpec, folder: TrialFolder) -> Generator[None, None, None]:
    """A trial that takes one second."""
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        time.sleep(0.02)
        yield None
    folder.write_result(result_of(spec))


def planned(runs: Path, trials: int, backend: str, *overrides: str) -> Plan:
    """The quickstart study with that many trials."""
    seeds = ",".join(str(seed) for seed in range(trials // CELLS))
    common = ["dataset.source=simulated", "tracking.mlflow=false", "search.repeats.annotators=[A1]"]
    given = [f"runs={runs}", f"backend={backend}", f"search.repeats.seeds=[{seeds}]", "protocol.tiou=[0.3,0.5,0.7]"]
    return resolve(load_study("quickstart", [*common, *given, *overrides]))


def timed(action: Callable[[], object]) -> float:
    """Seconds that the action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def noop(runs: Path, backend: str) -> None:
    plan = planned(runs, 1000, backend)
    seconds = timed(lambda: run_study(plan, trial=nothing))
    print(f"1000 trials that do nothing, {backend}: {seconds:.1f} s (target 100 s), {seconds:.1f} ms per trial")


def second(runs: Path, backend: str) -> None:
    if backend == "inline":
        return
    plan = planned(runs, 60, backend, "resources.concurrent_trials=2")
    times: list[float] = []

    def note(_: Event) -> None:
        times.append(time.perf_counter())

    seconds = timed(lambda: run_study(plan, trial=one_second, on_event=note))
    steady = times[-1] - times[0]
    print(
        f"60 trials of one second, two at once: {steady:.1f} s from the first start to the last end, "
        f"{steady / 30:.2f} of the ideal 30 s (target 1.15); {seconds:.1f} s with starting and stopping Ray"
    )


def propose(runs: Path, backend: str) -> None:
    del backend
    budget = ["budget.trials=1010", "search.repeats.seeds=[0]", "search.sampler=tpe", "search.pruner=none"]
    common = [f"runs={runs}", "dataset.source=simulated", "tracking.mlflow=false", "~search.space.inference"]
    plan = resolve(load_study("thumos_search", [*common, *budget]))
    (runs / "propose").mkdir(parents=True)
    with Record.open(runs / "propose" / "record.db", "propose", {}) as record:
        sampled = Sampled(plan, record, lambda _: {})
        spent = []
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        for number in range(1010):
            started = time.perf_counter()
            spec = sampled.ask()
            if number >= 1000:
                spent.append(time.perf_counter() - started)
            assert isinstance(spec, TrialSpec)
            trial = Trial(cell=spec.cell, spec=spec, inference=plan.inference, annotation_seconds=48.0)
            sampled.tell(Finished(spec, result_of(spec)))
            sampled.answered(trial, result_of(replace(spec, seed=number)))
    print(
        f"TPE proposes a cell of {len(plan.axes)} axes in {1000 * statistics.median(spent):.0f} ms after 1000 finished "
        "cells (median of 10; target 50 ms)"
    )


def reopen(runs: Path, backend: str) -> None:
    plan = planned(runs, 10_000, backend)
    for spec in plan.fits:
        folder = TrialFolder.of(runs, spec.key)
        folder.write_spec(spec)
        folder.write_result(result_of(spec))
    recorded = timed(lambda: run_study(plan, trial=nothing))
    previewed = timed(lambda: preview(planned(runs, 10_000, backend)))
    again = timed(lambda: run_study(planned(runs, 10_000, backend), trial=nothing))
    print(
        f"a finished study of 10 000 trials: recorded {recorded:.1f} s, preview {previewed:.1f} s, same command again "
        f"{again:.1f} s (target: reopened and previewed in 10 s)"
    )


def memory(runs: Path, backend: str) -> None:
    plan = planned(runs, 10_000, backend)
    seen: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, Finished):
            seen.append(resident())

    run_study(plan, trial=nothing, on_event=watch)
    first, last = seen[999], seen[-1]
    print(
        f"driver, {backend}: {first:.0f} MiB at trial 1000, {last:.0f} MiB at 10 000: "
        f"{100 * (last / first - 1):+.1f} % (target 10 %)"
    )


def resident() -> float:
    """Resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(*arguments: str) -> None:
    parts = {part.__name__: part for part in (noop, second, propose, reopen, memory)}
    print(machine())
    backends = [name for name in arguments if name in ("inline", "ray")] or ["ray"]
    for backend in backends:
        for part in [name for name in arguments if name in parts] or list(parts):
            with tempfile.TemporaryDirectory() as folder:
                parts[part](Path(folder), backend)


if __name__ == "__main__":
    main(*sys.argv[1:])
