"""Speed of the dashboards in a browser: time to a study's first chart, data sent, memory, and time per change.

    python -m benchmarks.bench_dashboard [TRIALS ...]

The study is a grid of kernel_size, lambda_sep and beta_aff with invented results, by default 10 000 trials. The browser
is Debian's Chromium with an empty cache, for the first chart without Playwright (see `plain_browser`). Bytes are those
of the study's data, without the scripts of Dash and Plotly, which browsers cache. Changes are measured on a generated
fit on 210 videos. Next to each wall-clock time are the CPU times of the server and of the page's main thread, which do
not depend on other programs.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.generated_studies import make_fit, make_record
from benchmarks.machine import machine
from benchmarks.page_changes import finding, playground, server_of, server_seconds, timeline
from benchmarks.plain_browser import plain_page

LIMITS = {10_000: 2.0, 100_000: 4.0}  # seconds
VIEWS = ("overview", "study", "tables", "plots", "cost")  # views that need no trial folders
VISITS = 5  # each with a new server and a new browser; results are medians
SNIPPETS = (200, 750)
# Bytes of the study's data that the page requested.
SIZES = """performance.getEntriesByType("resource").filter(one => one.name.includes("/_dash-") &&
  !one.name.includes("suites")).reduce((sum, one) => sum + one.encodedBodySize, 0)"""


def measure(runs: Path, study: str, view: str) -> dict[str, float]:
    """Seconds until the first chart (or table) of a view, bytes of data, and the server's peak memory in MiB."""
    with server_of(runs) as (server, address), plain_page() as page:
        main_thread, used = page.main_thread_seconds(), server_seconds(server)
        began = time.perf_counter()
        page.ask("Page.navigate", url=f"{address}/{study}/?view={view}")
        page.wait_for("#content table" if view == "tables" else ".js-plotly-plot .main-svg text")
        seconds = time.perf_counter() - began
        times = {
            "seconds": seconds, "server_cpu_s": server_seconds(server) - used,
            "page_cpu_s": page.main_thread_seconds() - main_thread,
        }  # fmt: skip
        time.sleep(1)
        sizes = page.value(SIZES)
        status = Path(f"/proc/{server}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
        return {**{name: round(seconds, 2) for name, seconds in times.items()}, "bytes": sizes, "MiB": round(peak)}


def main(*counts: str) -> None:
    print(machine())
    for trials in [int(count) for count in counts] or [10_000]:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            plan = make_record(Path(folder), trials)
            made = time.perf_counter() - began
            print(f"{trials} trials, record made in {made:.0f} s; limits: {LIMITS.get(trials)} s, 2 000 000 bytes")
            for view in VIEWS:
                visits = [measure(Path(folder), plan.study.name, view) for _ in range(VISITS)]
                medians = {name: statistics.median(visit[name] for visit in visits) for name in visits[0]}
                print(f"  {view}: {json.dumps(medians)}", flush=True)
            print(f"  finding trials: {json.dumps(finding(Path(folder), plan.study.name))}", flush=True)
    for snippets in SNIPPETS:
        with tempfile.TemporaryDirectory() as folder:
            name = make_fit(Path(folder), snippets).study.name
            print(f"a fit on 210 videos, T = {snippets}; limits: 200 ms per change, 60 ms per frame")
            print(f"  playground: {json.dumps(playground(Path(folder), name))}", flush=True)
            for act, times in timeline(Path(folder), name).items():
                print(f"  timeline, {act}: {json.dumps(times)}", flush=True)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
