"""Slows down guessing: each wrong token is answered later than the one before.

The right one is answered at once, unless MOST_WAITING wrong ones wait for their answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FIRST, MOST = 0.1, 5.0  # seconds until the first and the latest wrong token is answered; each waits twice as long
FORGOTTEN = 60.0  # seconds without a wrong token, after which the next is the first again
MOST_WAITING = 64  # wrong tokens whose answers are due; meanwhile no further token is compared


class WrongTokens:
    """Counts wrong tokens of all clients together, as an attacker has many addresses. Safe to use from threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count, self._last = 0, clock()
        self._due: list[float] = []

    def crowded(self) -> bool:
        """Whether so many answers are due that no further token may be compared."""
        with self._lock:
            self._due = [due for due in self._due if due > self._clock()]
            return len(self._due) >= MOST_WAITING

    def wrong(self) -> float:
        """Count a wrong token; returns the seconds after which it is answered."""
        with self._lock:
            now = self._clock()
            self._count = 0 if now > self._last + FORGOTTEN else self._count
            delay = min(MOST, FIRST * 2.0 ** min(self._count, 30))
            self._count, self._last = self._count + 1, now
            self._due.append(now + delay)
            return delay
