"""The dashboards in a browser: seconds to a study's first chart, what is sent, memory; and what a change then takes.

    python -m benchmarks.bench_dashboard [TRIALS ...]

A grid of kernel_size, lambda_sep and beta_aff, made of results that a formula gives; 10 000 trials unless told. The
browser is Debian's Chromium with an empty cache, for the first chart without Playwright (see plain_browser); bytes are
those of the study's data, without the scripts of Dash and Plotly, which a browser keeps. Changes are of a generated fit
on 210 videos. Beside every wall time stands the processor's: of the server, and of the page's main thread, which others
on the machine do not lengthen.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.generated_studies import make_fit, make_record
from benchmarks.plain_browser import FLAGS, PROGRAM, SECONDS, plain_page

LIMITS = {10_000: 2.0, 100_000: 4.0}  # seconds
VIEWS = ("overview", "study", "tables", "plots", "cost")  # those that a study without trial folders fills
VISITS = 5  # each with a new server and a new browser; figures are medians
CHANGES, FINDS, SNIPPETS = 20, 6, (200, 750)
# Bytes of the study's data that the page asked for.
SIZES = """performance.getEntriesByType("resource").filter(one => one.name.includes("/_dash-") &&
  !one.name.includes("suites")).reduce((sum, one) => sum + one.encodedBodySize, 0)"""

SERVER = """
import sys
from pathlib import Path
from tal_dashboards.app.server import bound_server
server = bound_server(Path(sys.argv[1]), None, port=0)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def server_of(runs: Path) -> Iterator[tuple[int, str]]:
    """The process id of a new server, and its address."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(runs)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.pid, f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


@contextmanager
def opened(runs: Path) -> Iterator[tuple[Any, int, str]]:
    """A page of a new browser, the process id of a new server, and its address."""
    from playwright.sync_api import sync_playwright

    with server_of(runs) as (server, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1280, "height": 800}), server, address
        browser.close()


def server_seconds(pid: int) -> float:
    """Of the processor, since the server's start."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


class MainThread:
    """The page's: its processor seconds since the last call."""

    def __init__(self, page: Any) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._last = 0.0
        self()

    def __call__(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        now = next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")
        self._last, taken = now, now - self._last
        return taken


def measure(runs: Path, study: str, view: str) -> dict[str, float]:
    """Seconds until the first chart (or table) of a view, bytes of data, and the server's greatest memory in MiB."""
    with server_of(runs) as (server, address), plain_page() as page:
        main_thread, used = page.main_thread_seconds(), server_seconds(server)
        began = time.perf_counter()
        page.ask("Page.navigate", url=f"{address}/{study}/?view={view}")
        page.wait_for("#content table" if view == "tables" else ".js-plotly-plot .main-svg text")
        seconds = time.perf_counter() - began
        found = {
            "seconds": seconds, "server_cpu_s": server_seconds(server) - used,
            "page_cpu_s": page.main_thread_seconds() - main_thread,
        }  # fmt: skip
        time.sleep(1)
        sizes = page.value(SIZES)
        status = Path(f"/proc/{server}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
        return {**{name: round(one, 2) for name, one in found.items()}, "bytes": sizes, "MiB": round(peak)}


# All watch from within the page: times in ms of its own clock, from a key to what it changes, and between frames.
WATCH_TABLE = """() => {
  const result = document.getElementById("playground-result");
  document.addEventListener("keydown", () => { window.keyed = performance.now(); window.shown = 0; }, true);
  new MutationObserver(() => { window.drawn = performance.now(); window.shown ||= window.drawn; }).observe(
    result, {subtree: true, childList: true, characterData: true});
}"""
WATCH_TRIALS = """() => {
  document.addEventListener("input", () => { window.keyed = performance.now(); window.shown = 0; }, true);
  new MutationObserver(() => requestAnimationFrame(() => { window.shown ||= performance.now(); })).observe(
    document.getElementById("study-trials"), {subtree: true, childList: true});
}"""
WATCH_FRAMES = """() => {
  window.frames_ = [];
  const frame = now => { window.frames_.push(now); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


def playground(runs: Path, study: str) -> dict[str, float]:
    """From a slider's key to the new scores, and to the last stroke of the figure, ms: medians of CHANGES."""
    with opened(runs) as (page, server, address):
        page.goto(f"{address}/{study}/?view=playground")
        page.wait_for_selector("#playground-settings")
        page.wait_for_selector(".js-plotly-plot .main-svg")
        page.evaluate(WATCH_TABLE)
        page.locator("[role=slider]").nth(5).focus()
        shown, drawn, main_thread, used = [], [], MainThread(page), 0.0
        for change in range(CHANGES + 1):
            if change == 1:  # the first compiles and reads what the others find ready
                used = server_seconds(server)
                main_thread()
            page.keyboard.press("ArrowLeft" if change % 4 < 2 else "ArrowRight")
            page.wait_for_function("() => window.shown", polling=100, timeout=1000 * SECONDS)
            page.wait_for_timeout(300)  # the rest of what the change set off
            shown.append(page.evaluate("window.shown - window.keyed"))
            drawn.append(page.evaluate("window.drawn - window.keyed"))
        each = 1000 / CHANGES
        return {
            "shown_ms": round(statistics.median(shown[1:])), "worst_ms": round(max(shown[1:])),
            "drawn_ms": round(statistics.median(drawn[1:])),
            "server_cpu_ms": round(each * (server_seconds(server) - used)), "page_cpu_ms": round(each * main_thread()),
        }  # fmt: skip


def finding(runs: Path, study: str) -> dict[str, float]:
    """From a keystroke in the field that finds trials to the frame that shows them, ms: medians of FINDS."""
    with opened(runs) as (page, server, address):
        page.goto(f"{address}/{study}/?view=study")
        page.wait_for_selector("#study-trials tbody tr", state="attached", timeout=1000 * SECONDS)
        page.wait_for_timeout(2000)  # the figures
        page.evaluate(WATCH_TRIALS)
        page.locator(".finder input[type=search]").focus()
        shown, used, main_thread, page_cpu = [], 0.0, MainThread(page), []
        for find in range(FINDS + 1):
            if find == 1:  # the first compiles and reads what the others find ready
                used = server_seconds(server)
            main_thread()
            page.keyboard.press("Backspace" if find % 6 > 2 else "100"[find % 6])
            page.wait_for_function("() => window.shown", polling=100, timeout=1000 * SECONDS)
            page.wait_for_timeout(300)  # the rest of what the change set off
            shown.append(page.evaluate("window.shown - window.keyed"))
            page_cpu.append(1000 * main_thread())
        return {
            "first_ms": round(shown[0]), "shown_ms": round(statistics.median(shown[1:])),
            "worst_ms": round(max(shown[1:])),
            "server_cpu_ms": round(1000 / FINDS * (server_seconds(server) - used)),
            "page_cpu_ms": round(statistics.median(page_cpu[1:])),
        }  # fmt: skip


def timeline(runs: Path, study: str) -> dict[str, dict[str, float]]:
    """Frames, ms, while a mouse drags a window to zoom into, pans, and while keys move the moment."""
    found = {}
    with opened(runs) as (page, _, address):
        page.goto(f"{address}/{study}/?view=timeline")
        page.wait_for_selector("#timeline-graph .main-svg")
        page.wait_for_timeout(1000)
        page.evaluate(WATCH_FRAMES)
        rows = page.locator("#timeline-graph .nsewdrag")
        rows.last.scroll_into_view_if_needed()
        box = rows.last.bounding_box()
        main_thread = MainThread(page)

        def drag() -> None:
            page.mouse.move(box["x"] + 100, box["y"] + 40)
            page.mouse.down()
            for step in range(CHANGES):
                page.mouse.move(box["x"] + 100 + 10 * step, box["y"] + 40)
                page.wait_for_timeout(20)
            page.mouse.up()

        def keys() -> None:
            page.locator("[role=slider]").first.focus()
            for _ in range(CHANGES):
                page.keyboard.press("ArrowRight")
                page.wait_for_timeout(100)

        graph = "document.querySelector('#timeline-graph .js-plotly-plot')"
        for name, act, before in (
            ("zoom", drag, ""),
            ("pan", drag, f"Plotly.relayout({graph}, {{dragmode: 'pan'}})"),
            ("moment", keys, ""),
        ):
            if before:
                page.evaluate(f"async () => {{ await {before}; }}")
            page.wait_for_timeout(500)
            page.evaluate("() => { window.frames_ = []; }")
            main_thread()
            act()
            page.wait_for_timeout(300)
            frames = page.evaluate("window.frames_")
            taken = sorted(after - before for before, after in itertools.pairwise(frames))
            found[name] = {
                "median_ms": round(statistics.median(taken)), "p95_ms": round(taken[int(0.95 * len(taken))]),
                "worst_ms": round(taken[-1]), "page_cpu_ms_a_move": round(1000 * main_thread() / CHANGES),
            }  # fmt: skip
    return found


def main(*counts: str) -> None:
    for trials in [int(count) for count in counts] or [10_000]:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            plan = make_record(Path(folder), trials)
            made = time.perf_counter() - began
            print(f"{trials} trials, record made in {made:.0f} s; limits: {LIMITS.get(trials)} s, 2 000 000 bytes")
            for view in VIEWS:
                found = [measure(Path(folder), plan.study.name, view) for _ in range(VISITS)]
                medians = {name: statistics.median(one[name] for one in found) for name in found[0]}
                print(f"  {view}: {json.dumps(medians)}", flush=True)
            print(f"  finding trials: {json.dumps(finding(Path(folder), plan.study.name))}", flush=True)
    for snippets in SNIPPETS:
        with tempfile.TemporaryDirectory() as folder:
            name = make_fit(Path(folder), snippets).study.name
            print(f"a fit on 210 videos, T = {snippets}; limits: 200 ms a change, 60 ms a frame")
            print(f"  playground: {json.dumps(playground(Path(folder), name))}", flush=True)
            for act, times in timeline(Path(folder), name).items():
                print(f"  timeline, {act}: {json.dumps(times)}", flush=True)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
