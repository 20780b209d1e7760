"""A browser that is watched as little as can be: Chromium, asked over a pipe, with no domain of its protocol enabled.

Playwright enables the domain Runtime, for which V8 notes where each function on a deep stack begins and parses the 5 MB
of Plotly's script twice more: half a second of the processor that no reader's browser takes.
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
SECONDS = 120


class PlainPage:
    """The one page of a new browser. read, write: the ends of the pipe to it."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._buffer = read, write, b""
        self._session: dict[str, str] = {}
        self._number = 0
        (target,) = [one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.ask("Performance.enable", timeDomain="threadTicks")

    def ask(self, method: str, **parameters: Any) -> Any:
        """The result of one call of the DevTools protocol; events are passed over."""
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
        """Of JavaScript in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, selector: str) -> None:
        end = time.monotonic() + SECONDS
        while not self.value(f"document.querySelector({json.dumps(selector)}) !== null"):
            assert time.monotonic() < end, f"never there: {selector}"
            time.sleep(0.01)

    def main_thread_seconds(self) -> float:
        """Of the processor, taken by the page's main thread so far."""
        metrics = self.ask("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


@contextmanager
def plain_page() -> Iterator[PlainPage]:
    """A page of 1280 × 800 in a profile of its own."""
    (theirs, write), (read, their_write) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as profile:
        own = ["--headless", "--remote-debugging-pipe", "--window-size=1280,800", f"--user-data-dir={profile}"]
        command = [  # the protocol's pipe has the numbers 3 and 4
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
