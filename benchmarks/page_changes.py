"""Time that one change on a page takes: a slider, a search, and zooming in the timeline; used by `bench_dashboard`."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plain_browser import FLAGS, PROGRAM, SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHANGES, FINDS = 20, 6
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
    """A new server: its process id and address."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(runs)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.pid, f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


@contextmanager
def opened(runs: Path) -> Iterator[tuple[Page, int, str]]:
    """A page in a new browser, and the process id and address of a new server."""
    from playwright.sync_api import sync_playwright

    with server_of(runs) as (server, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1280, "height": 800}), server, address
        browser.close()


def server_seconds(pid: int) -> float:
    """CPU time of the server since its start."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


class MainThread:
    """CPU seconds of the page's main thread since the last call."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._last = 0.0
        self()

    def __call__(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        now = next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")
        self._last, taken = now, now - self._last
        return taken


# Scripts that take times in ms by the page's own clock: from a key to the changes it causes, and between frames.
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
    """Milliseconds from a key on a slider to the new scores and to the complete figure: medians of CHANGES."""
    with opened(runs) as (page, server, address):
        page.goto(f"{address}/{study}/?view=playground")
        page.wait_for_selector("#playground-settings")
        page.wait_for_selector(".js-plotly-plot .main-svg")
        page.evaluate(WATCH_TABLE)
        page.locator("[role=slider]").nth(5).focus()
        shown, drawn, main_thread, used = [], [], MainThread(page), 0.0
        for change in range(CHANGES + 1):
            if change == 1:  # the first one compiles and fills caches
                used = server_seconds(server)
                main_thread()
            page.keyboard.press("ArrowLeft" if change % 4 < 2 else "ArrowRight")
            page.wait_for_function("() => window.shown", polling=100, timeout=1000 * SECONDS)
            page.wait_for_timeout(300)  # until everything caused by the change is done
            shown.append(page.evaluate("window.shown - window.keyed"))
            drawn.append(page.evaluate("window.drawn - window.keyed"))
        each = 1000 / CHANGES
        return {
            "shown_ms": round(statistics.median(shown[1:])), "worst_ms": round(max(shown[1:])),
            "drawn_ms": round(statistics.median(drawn[1:])),
            "server_cpu_ms": round(each * (server_seconds(server) - used)), "page_cpu_ms": round(each * main_thread()),
        }  # fmt: skip


def finding(runs: Path, study: str) -> dict[str, float]:
    """Milliseconds from a keystroke in the search field to the frame that shows the trials: medians of FINDS."""
    with opened(runs) as (page, server, address):
        page.goto(f"{address}/{study}/?view=study")
        page.wait_for_selector("#study-trials tbody tr", state="attached", timeout=1000 * SECONDS)
        page.wait_for_timeout(2000)  # the figures
        page.evaluate(WATCH_TRIALS)
        page.locator(".finder input[type=search]").focus()
        shown, used, main_thread, page_cpu = [], 0.0, MainThread(page), []
        for find in range(FINDS + 1):
            if find == 1:  # the first one compiles and fills caches
                used = server_seconds(server)
            main_thread()
            page.keyboard.press("Backspace" if find % 6 > 2 else "100"[find % 6])
            page.wait_for_function("() => window.shown", polling=100, timeout=1000 * SECONDS)
            page.wait_for_timeout(300)  # until everything caused by the change is done
            shown.append(page.evaluate("window.shown - window.keyed"))
            page_cpu.append(1000 * main_thread())
        return {
            "first_ms": round(shown[0]), "shown_ms": round(statistics.median(shown[1:])),
            "worst_ms": round(max(shown[1:])),
            "server_cpu_ms": round(1000 / FINDS * (server_seconds(server) - used)),
            "page_cpu_ms": round(statistics.median(page_cpu[1:])),
        }  # fmt: skip


def timeline(runs: Path, study: str) -> dict[str, dict[str, float]]:
    """Frame times in ms while the mouse zooms and pans, and while keys move the selected moment."""
    with opened(runs) as (page, _, address):
        page.goto(f"{address}/{study}/?view=timeline")
        page.wait_for_selector("#timeline-graph .main-svg")
        page.wait_for_timeout(1000)
        page.evaluate(WATCH_FRAMES)
        page.locator("#timeline-graph .nsewdrag").last.scroll_into_view_if_needed()
        times = {"zoom": _frame_times(page, _drag)}
        graph = "document.querySelector('#timeline-graph .js-plotly-plot')"
        page.evaluate(f"async () => {{ await Plotly.relayout({graph}, {{dragmode: 'pan'}}); }}")
        return times | {"pan": _frame_times(page, _drag), "moment": _frame_times(page, _press_keys)}


def _drag(page: Page) -> None:
    box = page.locator("#timeline-graph .nsewdrag").last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    for step in range(CHANGES):
        page.mouse.move(box["x"] + 100 + 10 * step, box["y"] + 40)
        page.wait_for_timeout(20)
    page.mouse.up()


def _press_keys(page: Page) -> None:
    page.locator("[role=slider]").first.focus()
    for _ in range(CHANGES):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)


def _frame_times(page: Page, act: Callable[[Page], None]) -> dict[str, float]:
    main_thread = MainThread(page)
    page.wait_for_timeout(500)
    page.evaluate("() => { window.frames_ = []; }")
    main_thread()
    act(page)
    page.wait_for_timeout(300)
    taken = sorted(after - before for before, after in itertools.pairwise(page.evaluate("window.frames_")))
    return {
        "median_ms": round(statistics.median(taken)), "p95_ms": round(taken[int(0.95 * len(taken))]),
        "worst_ms": round(taken[-1]), "page_cpu_ms_a_move": round(1000 * main_thread() / CHANGES),
    }  # fmt: skip
