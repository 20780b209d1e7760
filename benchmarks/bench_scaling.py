"""Growth of time and memory with the size of the work, with fitted exponents, for the parts of a trial and a study.

    python -m benchmarks.bench_scaling [SWEEP ...] [--points N] [--busy]

Sweeps: videos (50 to 800, T 200, 20 classes), snippets (T 100 to 3 000, 50 videos), classes (20 to 200, 200 videos),
detections (1 000 to 1 000 000 in 210 videos), trials (10 to 10 000 that do nothing, inline backend, MLflow off).
--points takes only the first N values of each.

Each value is measured in a new process with one thread. Seconds are the fastest of up to three runs; on a shared
machine, --busy measures CPU time instead of wall-clock time. Memory is the peak resident set of the process and its
children while the part runs, minus that of the process before any data. The exponent is the slope of a line fitted to
the logarithms; "last" is that of the last step, where fixed costs matter least. 1 is linear, and up to 1.15 counts as
near-linear.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from benchmarks.machine import machine
from tal_search.types import Annotations

SWEEPS = {
    "videos": (50, 100, 200, 400, 800),
    "snippets": (100, 300, 1000, 3000),
    "classes": (20, 40, 100, 200),
    "detections": (1_000, 10_000, 100_000, 1_000_000),
    "trials": (10, 100, 1_000, 10_000),
}
NEAR_LINEAR = 1.15
ENOUGH_SECONDS = 0.5  # a part is repeated until it has run this long
LEAST_MIB = 4.0  # smaller growth is due to the allocator, not to the work
MIB = 2**20
Result = TypeVar("Result")
Clock = Callable[[], float]
Rows = dict[str, tuple[float, float]]  # seconds and MiB by part


class Meter:
    """Measures seconds and MiB of the parts at one point of a sweep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: Rows = {}
        self._own = psutil.Process()
        self._before = self._resident()

    def measure(self, part: str, work: Callable[[], Result], runs: int = 3) -> Result:
        """Run the work up to `runs` times, until ENOUGH_SECONDS have passed; returns the last result."""
        Path("/proc/self/clear_refs").write_text("5")  # reset the kernel's peak memory (VmHWM) of this process
        peak, over = [0.0], threading.Event()
        watch = threading.Thread(target=self._watch, args=(peak, over))
        watch.start()
        taken, results = list[float](), list[Result]()
        try:
            while len(taken) < runs and sum(taken) < ENOUGH_SECONDS:
                began = self._clock()
                results[:] = [work()]
                taken.append(self._clock() - began)
        finally:
            over.set()
            watch.join()
        self.rows[part] = min(taken), peak[0] - self._before
        return results[0]

    def _watch(self, peak: list[float], over: threading.Event) -> None:
        """Sample the children's memory until the work is over, then add this process's peak."""
        children = 0.0
        while not over.wait(0.05):
            children = max(children, sum(_resident(child) for child in self._own.children(recursive=True)))
        peak[0] = self._peak() + children

    def _resident(self) -> float:
        return _resident(self._own)

    def _peak(self) -> float:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss / MIB)
    except psutil.Error:  # it has ended
        return 0.0


def timeline(videos: int, classes: int, seed: int) -> Annotations:
    """A simulated ground truth."""
    from tal_search.data.simulation.drawn_timeline import class_moments, draw_timeline

    random = np.random.default_rng(seed)
    names = tuple(f"class_{index}" for index in range(classes))
    return draw_timeline(f"video_{seed}", videos, names, class_moments(names, random), random)


def trial_parts(clock: Clock, videos: int, snippets: int, classes: int) -> Rows:
    """Parts of a trial on that many training and test videos: make features, train an epoch, localize, score."""
    import torch

    from benchmarks.bench_localize import TIOU, release_like
    from tal_search.data.simulation.videos import Simulation, simulate
    from tal_search.localization.inference import Inference
    from tal_search.localization.localize import localize
    from tal_search.methods.backtal import BackTAL, Hyperparameters
    from tal_search.metrics.average_precision import score
    from tal_search.trial.loop import Fit

    def fit_of(size: int, length: int) -> Fit:
        truths = timeline(size, classes, 0), timeline(size, classes, 1)
        dataset = meter.measure("make features", lambda: simulate(Simulation(), length, truths), runs=1)
        method = BackTAL(Hyperparameters(dropout=0.5), dataset.train.features.shape[1], classes)
        clicks = np.random.default_rng(0).random((size, length)) < 0.03
        train = replace(dataset.train, background_clicks=clicks)
        return Fit(method, train, np.arange(size), 0, "float32", torch.device("cpu"))

    meter = Meter(clock)
    fit_of(2, 100).epoch(1)  # warm up: compiled code, thread pools
    small = release_like(2, 100, classes)
    score(small.truth, localize(small.activations, small.truth.classes, Inference()), TIOU, subset="test")
    meter = Meter(clock)
    fit = fit_of(videos, snippets)
    meter.measure("train an epoch", lambda: fit.epoch(1))
    truth, kept = release_like(videos, snippets, classes)
    detections = meter.measure("localize", lambda: localize(kept, truth.classes, Inference()))
    meter.measure("score", lambda: score(truth, detections, TIOU, subset="test"))
    return meter.rows


def detection_parts(clock: Clock, count: int) -> Rows:
    """Score, write and read that many detections."""
    from benchmarks.bench_evaluator import synthetic
    from tal_search.config.thresholds import parse_tiou
    from tal_search.data.truth.annotations import read_detections, write_detections
    from tal_search.metrics.average_precision import score

    thresholds = parse_tiou("0.1:0.9:0.1")
    score(*synthetic(10), thresholds, subset="test")
    meter = Meter(clock)
    truth, detections = synthetic(count)
    meter.measure("score", lambda: score(truth, detections, thresholds, subset="test"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detections.json"
        meter.measure("write", lambda: write_detections(path, detections))
        meter.measure("read", lambda: read_detections(path, truth.classes, truth.videos))
    return meter.rows


def study_parts(clock: Clock, count: int) -> Rows:
    """Run, run again and preview a study of that many trials that do nothing."""
    from benchmarks.bench_search import nothing, planned
    from tal_search.execution.driver import run_study
    from tal_search.plan.preview import preview

    with tempfile.TemporaryDirectory() as folder:
        run_study(planned(Path(folder), 5, "inline"), trial=nothing)
    meter = Meter(clock)
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        meter.measure("run", lambda: run_study(planned(runs, count, "inline"), trial=nothing), runs=1)
        meter.measure("the command again", lambda: run_study(planned(runs, count, "inline"), trial=nothing))
        meter.measure("preview", lambda: preview(planned(runs, count, "inline")))
    return meter.rows


POINTS: dict[str, Callable[[Clock, int], Rows]] = {
    "videos": lambda clock, value: trial_parts(clock, value, 200, 20),
    "snippets": lambda clock, value: trial_parts(clock, 50, value, 20),
    "classes": lambda clock, value: trial_parts(clock, 200, 200, value),
    "detections": detection_parts,
    "trials": study_parts,
}


def in_new_process(sweep: str, value: int, busy: bool) -> dict[str, list[float]]:
    """Seconds and MiB of each part at one point of a sweep."""
    command = [sys.executable, "-m", "benchmarks.bench_scaling", "--point", sweep, str(value), *["--busy"][:busy]]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=threads, check=True, stdout=subprocess.PIPE, text=True)
    rows: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def exponent(values: tuple[int, ...], costs: list[float], least: float = 0.0) -> float:
    """Slope of log cost over log value; NaN if fewer than two costs exceed `least`."""
    pairs = [(math.log(value), math.log(cost)) for value, cost in zip(values, costs, strict=True) if cost > least]
    log_values, log_costs = zip(*pairs, strict=True) if pairs else ((), ())
    return float(np.polyfit(log_values, log_costs, 1)[0]) if len(pairs) > 1 else math.nan


def verdict(slope: float) -> str:
    """An exponent as text, marked with "!" if it is not near-linear."""
    return f"{'-' if math.isnan(slope) else f'{slope:.2f}':>8}{'!' if slope > NEAR_LINEAR else ' '}"


def show(sweep: str, points: int | None, busy: bool) -> list[str]:
    """Run and print a sweep; returns the rows that are not near-linear."""
    values, began = SWEEPS[sweep][:points], time.perf_counter()
    measured = [in_new_process(sweep, value, busy) for value in values]
    print(f"{sweep + ':':24}" + "".join(f"{value:>10}" for value in values) + "  exponent    last")
    steep = []
    for part in measured[0]:
        for index, (unit, least) in enumerate({"s": 0.0, "MiB": LEAST_MIB}.items()):
            costs = [point[part][index] for point in measured]
            slope, last = exponent(values, costs, least), exponent(values[-2:], costs[-2:], least)
            shown = "".join(f"{cost:10.4f}" if unit == "s" else f"{cost:10.0f}" for cost in costs)
            print(f"  {part if unit == 's' else '':18}{unit:4}{shown} {verdict(slope)}{verdict(last)}")
            if max(slope, last) > NEAR_LINEAR:
                steep.append(f"{sweep}, {part}, {unit}: {slope:.2f}, last {last:.2f}")
    print(f"  ({time.perf_counter() - began:.0f} s in all)", flush=True)
    return steep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="*", choices=[*SWEEPS, []])
    parser.add_argument("--points", type=int)
    parser.add_argument("--busy", action="store_true", help="measure CPU time instead of wall-clock time")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.point:
        clock = time.process_time if args.busy else time.perf_counter
        print(json.dumps(POINTS[args.point[0]](clock, int(args.point[1]))))
        return
    print(machine())
    print(f"{'CPU time' if args.busy else 'wall-clock time'}, one thread; ! marks exponents above {NEAR_LINEAR}")
    steep = [line for sweep in args.sweeps or SWEEPS for line in show(sweep, args.points, args.busy)]
    print(f"not near-linear: {'; '.join(steep) or 'nothing'}")


if __name__ == "__main__":
    main()
