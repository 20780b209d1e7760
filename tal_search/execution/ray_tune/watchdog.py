"""Notices that Ray's servers are gone; Ray itself would have its driver wait for ever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

POLL_SECONDS = 1.0
CONNECT_SECONDS = 2.0


class ServerWatch:
    """Looks after servers in a thread of its own, until closed.

    servers: addresses HOST:PORT by name; patience: seconds without an answer after which one counts as dead;
    on_poll: called at every look; on_lost: called at every look since one died, with a sentence and the seconds since
    then. `given_up`: whether one died.
    """

    def __init__(
        self,
        servers: Mapping[str, str],
        *,
        patience: float,
        on_poll: Callable[[], None],
        on_lost: Callable[[str, float], None],
    ) -> None:
        self._servers, self._patience = dict(servers), patience
        self._on_poll, self._on_lost = on_poll, on_lost
        self.given_up = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def lost(self) -> str | None:
        """Look now: a sentence for the user where a server does not answer."""
        for name, address in self._servers.items():
            if not answers(address):
                return (
                    f"Ray stopped: its {name} at {address} no longer answers; finished trials are kept and the same "
                    "command continues"
                )
        return None

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        well = time.monotonic()
        dead: float | None = None
        sentence: str | None = None
        while not self._closed.wait(POLL_SECONDS):
            if dead is None:
                self._on_poll()
                sentence = self.lost()
                now = time.monotonic()
                well = well if sentence else now
                dead = now if now - well > self._patience else None
            if dead is not None and sentence is not None:
                self.given_up = True
                self._on_lost(sentence, time.monotonic() - dead)


def answers(address: str) -> bool:
    """Whether a server listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
