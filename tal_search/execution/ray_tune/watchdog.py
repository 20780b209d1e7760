"""Detects the death of Ray's servers; Ray's own driver code would wait for them forever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

POLL_SECONDS = 1.0
CONNECT_SECONDS = 2.0


class ServerWatch:
    """Polls servers in a thread until closed.

    servers: addresses HOST:PORT by name; patience: seconds without an answer after which a server counts as dead;
    on_poll: called at every poll; on_lost: called at every poll after a server's death, with a sentence and the
    seconds since then. `given_up`: whether a server died.
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
        """Poll now: a sentence for the user if a server does not answer, else None."""
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
        answered = time.monotonic()
        dead: float | None = None
        sentence: str | None = None
        while not self._closed.wait(POLL_SECONDS):
            if dead is None:
                self._on_poll()
                sentence = self.lost()
                now = time.monotonic()
                answered = answered if sentence else now
                dead = now if now - answered > self._patience else None
            if dead is not None and sentence is not None:
                self.given_up = True
                self._on_lost(sentence, time.monotonic() - dead)


def answers(address: str) -> bool:
    """Whether a server listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError):  # the second: a name that is no name of a host
        return False
    return True
