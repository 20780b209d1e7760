"""Pages of the dashboards in a real browser that may only send requests to the dashboards' own server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tal_dashboards.views import views
from tests.support.waiting import DEADLINE

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]  # fmt: skip
SECONDS = DEADLINE  # a busy machine draws slowly
AXE = Path(sys.prefix) / "npm" / "node_modules" / "axe-core" / "axe.min.js"
FITTED = """[...document.querySelectorAll(".js-plotly-plot")].every(
  (plot) => Math.abs(plot._fullLayout.width - plot.clientWidth) < 2)"""
SCREENS = {"1280x800": (1280, 800), "390x844": (390, 844)}


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=1000 * SECONDS)
        try:
            yield opened
        finally:
            opened.close()


@dataclass
class Visit:
    """A page; wrong: errors on its console, and addresses other than its server's that it requested."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)

    def open(self, study: str, view: str, **selection: str) -> None:
        """Load a view and wait until it is drawn."""
        self.page.goto(f"{self.address}/{study}/?{urlencode({'view': view, **selection})}")
        self.drawn()

    def switch(self, view: str) -> None:
        """Open another view of the study by its tab, without loading the page again."""
        title = views()[view].TITLE
        self.page.click(f"#views >> text={title}")
        self.page.wait_for_selector(f".view.current >> text={title}")
        self.page.wait_for_selector(  # the tab changes before the content
            f"#content [id^='{view}-'], #content .empty", state="attached"
        )
        self.drawn()

    def resize(self, width: int, height: int) -> None:
        """Resize the window and wait until the figures fit it."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.until(FITTED)

    def drawn(self) -> None:
        """Wait until the content, its delayed parts and all figures are drawn."""
        self.page.wait_for_selector("#content section, #content > .empty")
        self.until("document.querySelector('[data-dash-is-loading]') === null")
        self.until("[...document.querySelectorAll('.dash-graph')].every(one => one.querySelector('.main-svg text'))")

    def until(self, condition: str) -> None:
        """Wait for an expression to be true; polled from outside, as the page's policy forbids `eval`."""
        end = time.monotonic() + SECONDS
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            self.page.wait_for_timeout(50)

    def rows(self, table: str) -> list[list[str]]:
        """Text of a table's cells by row, the head first."""
        script = "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
        rows: list[list[str]] = self.page.eval_on_selector_all(f"#{table} tr", script)
        return rows


def axe() -> str:
    """The script that `make axe` installs; its test is skipped without it, unless it is required."""
    if not AXE.exists():
        if os.environ.get("TAL_REQUIRE_AXE") == "1":
            pytest.fail(f"{AXE} is required (TAL_REQUIRE_AXE=1) and is not there")
        pytest.skip("needs axe-core: make axe")
    return AXE.read_text("utf-8")


@contextmanager
def visit(opened: Browser, address: str, screen: str = "1280x800") -> Iterator[Visit]:
    """A page in a new profile; fails at its end if there was an error or a request to another address."""
    width, height = SCREENS[screen]
    # Proxies of tests have a certificate that they signed themselves.
    context = opened.new_context(viewport={"width": width, "height": height}, ignore_https_errors=True)
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    found = Visit(page, address)
    own = urlsplit(address)

    def watch(url: str) -> None:
        scheme, netloc, *_ = urlsplit(url)
        if scheme in ("http", "https", "ws", "wss") and (scheme, netloc) != (own.scheme, own.netloc):
            found.wrong.append(f"asked {url}")

    # Listened to, not intercepted: a page whose requests are intercepted loads and compiles every script anew.
    context.on("request", lambda request: watch(request.url))
    page.on("websocket", lambda socket: watch(socket.url))
    page.on("console", lambda message: found.wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.wrong.append(str(error)))
    page.on("dialog", lambda dialog: (found.wrong.append(dialog.message), dialog.dismiss())[0])
    try:
        yield found
        assert not found.wrong, found.wrong
    finally:
        context.close()
