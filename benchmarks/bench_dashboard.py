"""The dashboards of a generated study: time to its first chart in a browser, what is sent, and memory.

    python -m benchmarks.bench_dashboard [TRIALS ...]

A grid of kernel_size, lambda_sep and beta_aff, made of results that a formula gives; 10 000 trials unless told. The
browser is Debian's Chromium through Playwright, with an empty cache; bytes are those of the study's data, without the
scripts of Dash and Plotly, which a browser keeps.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tal_search.search.about import about
from tal_search.search.distributions import distribution_of
from tal_search.search.plan import Plan, resolve
from tal_search.search.record import Record
from tal_search.search.settings_of import settings_of
from tal_search.study import load_study
from tal_search.types import TrialResult

VALUES, SEEDS, BATCH = 10, 10, 5000
LIMITS = {10_000: 2.0, 100_000: 5.0}  # seconds
PROGRAM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


def make_record(runs: Path, trials: int) -> Plan:
    """A study with this many finished trials, none of which was trained."""
    axes = {
        "kernel_size": [1 + 2 * place for place in range(VALUES)],
        "lambda_sep": [place / 4 for place in range(VALUES)],
        "beta_aff": [place / 10 for place in range(max(1, trials // VALUES**2 // SEEDS))],
    }
    study = load_study("thumos_single", [f"runs={runs}", "dataset.source=simulated", "tracking.mlflow=false"])
    plan = resolve(study)
    plan = _as_grid(plan, axes)
    found: list[tuple[Any, TrialResult]] = []
    distributions = {axis: distribution_of(values) for axis, values in axes.items()}
    folder = runs / plan.study.name
    folder.mkdir(parents=True)
    with Record.open(
        folder / "record.db", plan.study.name, distributions, settings_of(plan), folder, about(plan)
    ) as record:
        for number in range(trials):
            seed, cell = number % SEEDS, number // SEEDS
            places = (cell % VALUES, cell // VALUES % VALUES, cell // VALUES**2)
            values = {axis: axes[axis][place] for axis, place in zip(axes, places, strict=True)}
            trial = plan.trial(values, seed, "A1")
            found.append((trial, _result(trial.spec.key, list(plan.protocol["tiou"]), number)))
            if len(found) == BATCH or number == trials - 1:
                record.finish_all(found, cached=False)
                found = []
    return plan


def _as_grid(plan: Plan, axes: dict[str, list[Any]]) -> Plan:
    from dataclasses import replace

    search = replace(plan.study.search, plan="grid", axes={axis: tuple(values) for axis, values in axes.items()})
    centre = {axis: values[len(values) // 2] for axis, values in axes.items()}
    return replace(plan, study=replace(plan.study, search=search), centre_cell=centre, trials=())


def _result(key: str, tiou: list[float], number: int) -> TrialResult:
    high = 0.3 + 0.1 * ((number * 7919) % 1000) / 1000
    mAP = tuple(high * (1 - threshold) for threshold in tiou)
    return TrialResult(
        key=key, selected_epoch=40, tiou=tuple(tiou), mAP=mAP, holdout_mAP=None, best_on_test_epoch=40,
        best_on_test_mAP=high / 2, detections=9000, parameters=100_000, seconds=60.0,
    )  # fmt: skip


SERVER = """
import sys
from pathlib import Path
from dashboards.server import bound_server
server = bound_server(Path(sys.argv[1]), None, port=0)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def measure(runs: Path, study: str, view: str) -> dict[str, float]:
    """Seconds until the first chart (or table) of a view, bytes of data, and the server's greatest memory in MiB."""
    from playwright.sync_api import sync_playwright

    with subprocess.Popen([sys.executable, "-c", SERVER, str(runs)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
                page = browser.new_page()
                asked: list[Any] = []
                page.on("requestfinished", lambda request: asked.append(request))
                began = time.perf_counter()
                page.goto(f"http://127.0.0.1:{port}/{study}/?view={view}")
                page.wait_for_selector(".js-plotly-plot .main-svg, #content table", timeout=120_000)
                seconds = time.perf_counter() - began
                page.wait_for_timeout(1000)
                data = [one for one in asked if "_dash-" in one.url and "suites" not in one.url]
                sizes = [one.sizes()["responseBodySize"] for one in data]
                browser.close()
            status = Path(f"/proc/{server.pid}/status").read_text()
            peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
            return {"seconds": round(seconds, 2), "bytes": sum(sizes), "MiB": round(peak)}
        finally:
            server.terminate()


def main(*counts: str) -> None:
    for trials in [int(count) for count in counts] or [10_000]:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            plan = make_record(Path(folder), trials)
            made = time.perf_counter() - began
            print(f"{trials} trials, record made in {made:.0f} s; limits: {LIMITS.get(trials)} s, 2 000 000 bytes")
            for view in ("study", "tables", "cost"):
                print(f"  {view}: {json.dumps(measure(Path(folder), plan.study.name, view))}", flush=True)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
