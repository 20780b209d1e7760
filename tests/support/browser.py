"""A page of the dashboards in a real browser that may ask nobody but the dashboards' own server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.support.waiting import DEADLINE

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
SECONDS = DEADLINE  # a busy machine draws slowly
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
    """A page, and what went wrong in it: messages of its console, and addresses it asked that are not its server's."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)

    def open(self, study: str, view: str, **selection: str) -> None:
        """Open a view and wait until it is drawn."""
        self.page.goto(f"{self.address}/{study}/?{urlencode({'view': view, **selection})}")
        self.drawn()

    def drawn(self) -> None:
        """Wait until the content is there, with what follows it, and every figure in it is drawn."""
        self.page.wait_for_selector("#content section, #content > .empty")
        self.until("document.querySelector('[data-dash-is-loading]') === null")
        self.until("[...document.querySelectorAll('.dash-graph')].every(one => one.querySelector('.main-svg text'))")

    def until(self, condition: str) -> None:
        """Wait for an expression to be true; asked from outside, as the page's policy forbids `eval` within it."""
        end = time.monotonic() + SECONDS
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            self.page.wait_for_timeout(50)

    def rows(self, table: str) -> list[list[str]]:
        """Text of a table's cells by row, its head first."""
        script = "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
        found: list[list[str]] = self.page.eval_on_selector_all(f"#{table} tr", script)
        return found


@contextmanager
def visit(opened: Browser, address: str, screen: str = "1280x800") -> Iterator[Visit]:
    """A page in a profile of its own; fails at its end if the console had an error or another address was asked."""
    width, height = SCREENS[screen]
    context = opened.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    found = Visit(page, address)

    def watch(route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in ("http", "https", "ws", "wss") and f"http://{url.netloc}" != address:
            found.wrong.append(f"asked {route.request.url}")
            route.abort()
        else:
            route.continue_()

    context.route("**/*", watch)
    page.on("console", lambda message: found.wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.wrong.append(str(error)))
    page.on("dialog", lambda dialog: (found.wrong.append(dialog.message), dialog.dismiss())[0])
    try:
        yield found
        assert not found.wrong, found.wrong
    finally:
        context.close()
