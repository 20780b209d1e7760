"""Chromium controlled over a pipe with as little overhead as possible, for measurements.

Playwright enables the DevTools domain Runtime, which makes V8 parse the 5 MB of Plotly's script twice more to locate
functions: half a second of CPU time that a user's browser does not need.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PROGRAM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip
SECONDS = 120  # until a wait is given up


class PlainPage:
    """The only page of a new browser; read, write: the ends of the pipes to it."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._buffer = read, write, b""
        self._session: dict[str, str] = {}
        self._number = 0
        (target,) = [info for info in self.ask("Target.getTargets")["targetInfos"] if info["type"] == "page"]
        attached = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.ask("Performance.enable", timeDomain="threadTicks")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Call a method of the DevTools protocol and return its result; events are ignored."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(call).encode() + b"\0")
        while True:
            message, end, rest = self._buffer.partition(b"\0")
            if not end:
                self._buffer += os.read(self._read, 1 << 16)
                continue
            self._buffer, answer = rest, json.loads(message)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, selector: str) -> None:
        """Wait until the page has a matching element."""
        end = time.monotonic() + SECONDS
        while not self.value(f"document.querySelector({json.dumps(selector)}) !== null"):
            assert time.monotonic() < end, f"never there: {selector}"
            time.sleep(0.01)

    def main_thread_seconds(self) -> float:
        """CPU time of the page's main thread so far."""
        metrics = self.ask("Performance.getMetrics")["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


@contextmanager
def plain_page() -> Iterator[PlainPage]:
    """A page of 1280 × 800 in a new browser with an empty profile."""
    (theirs, write), (read, their_write) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as profile:
        own = ["--headless", "--remote-debugging-pipe", "--window-size=1280,800", f"--user-data-dir={profile}"]
        command = [  # Chromium expects the pipes as file descriptors 3 and 4
            *("bash", "-c", f'exec "$@" 3<&{theirs} 4>&{their_write}', "bash"), PROGRAM, *own, *FLAGS, "about:blank"
        ]  # fmt: skip
        browser = subprocess.Popen(command, pass_fds=(theirs, their_write), stderr=subprocess.DEVNULL)
        os.close(theirs)
        os.close(their_write)
        page = PlainPage(read, write)
        try:
            yield page
        finally:
            page.ask("Browser.close")
            browser.wait()
            os.close(read)
            os.close(write)
