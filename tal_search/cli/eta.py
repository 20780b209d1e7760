"""Estimate of the seconds until a run has ended, from its own fits and from those that earlier runs recorded."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COLD_SHARE = 0.25  # of a fit's epochs, after which its process has compiled and read what it needs
SAME_BATCH_SECONDS = 0.1  # reports this close together came in one message of a worker
FORGET = 0.8  # weight of older fits of this run against the newest: the load of a machine changes
PRIOR_SHARE = 0.25  # of a fit, as evidence: how much recorded seconds an epoch weigh
START_SECONDS = 300.0  # recorded fits alone are no basis below this: starting workers may take longer than they do
DAMPING = 0.15  # time constant of the finishing time, as a share of the time left
DAMPING_SECONDS = (2.0, 60.0)  # its bounds


@dataclass
class _Running:
    """A fit under way. since, first: time and epoch from which on it is measured; since is None while it warms up."""

    kind: Any
    epochs: int
    since: float | None
    seen: float
    first: int = 0
    epoch: int = 0
    gap: float = 0.0  # between its last two messages

    def report(self, epoch: int, scored: bool, now: float) -> None:
        if now - self.seen >= SAME_BATCH_SECONDS:
            self.gap = now - self.seen
        if self.since is None:
            if scored or epoch >= COLD_SHARE * self.epochs:
                self.since, self.first = now, epoch
        elif now - self.since < SAME_BATCH_SECONDS and self.first:
            self.since, self.first = now, epoch
        self.seen, self.epoch = now, epoch

    def measured(self, now: float) -> tuple[float, float]:
        """Epochs and seconds since it is measured."""
        return (0.0, 0.0) if self.since is None else (self.epoch - self.first, now - self.since)


@dataclass
class _Measured:
    """Epochs of one kind of fit and the seconds of wall-clock that they took, older ones weighing less."""

    epochs: float = 0.0
    seconds: float = 0.0

    def add(self, epochs: float, seconds: float, forget: float = 1.0) -> None:
        self.epochs, self.seconds = forget * self.epochs + epochs, forget * self.seconds + seconds


@dataclass
class Eta:
    """Times are seconds of one monotonic clock.

    A kind is what fits with about equally long epochs share. prior: recorded seconds an epoch by kind. lanes: fits at
    once, as far as is known before they run. The first fit of a lane counts only once it is warm: importing, compiling
    and reading take longer than many of its epochs.
    """

    prior: Mapping[Any, float]
    lanes: int
    _running: dict[str, _Running] = field(default_factory=dict)
    _measured: dict[Any, _Measured] = field(default_factory=dict)
    _free_since: deque[float] = field(default_factory=deque)  # when lanes without a fit got free
    _starts: int = 0
    _peak: int = 0  # fits at once so far
    _run: Counter[str] = field(default_factory=Counter)  # epochs of ended fits: wanted, done
    _finish: float | None = None  # damped
    _asked: float = 0.0

    def started(self, key: str, kind: Any, epochs: int, now: float) -> None:
        """A fit begins, or begins again in another process."""
        free = self._free_since.popleft() if self._free_since and key not in self._running else None
        cold = self._starts < max(self.lanes, self._peak) or free is None
        self._starts += 1
        self._running[key] = _Running(kind, max(1, epochs), None if cold else free, now)
        self._peak = max(self._peak, len(self._running))

    def reported(self, key: str, epoch: int, now: float, *, scored: bool = False) -> None:
        """An epoch of a running fit is over; scored: it was evaluated too."""
        if key in self._running:
            self._running[key].report(epoch, scored, now)

    def ended(self, key: str, now: float) -> None:
        """A fit has its result, failed, or was stopped."""
        fit = self._running.pop(key, None)
        if fit is None:
            return
        self._free_since.append(now)
        self._run.update(wanted=fit.epochs, done=fit.epoch)
        epochs, seconds = fit.measured(now)
        if epochs > 0:
            self._measured.setdefault(fit.kind, _Measured()).add(epochs, seconds, FORGET)

    def left(self, waiting: Mapping[tuple[Any, int], int], now: float) -> float | None:
        """Seconds until all has ended, damped; None while nothing tells.

        waiting: number of fits that have not begun, by kind and epochs.
        """
        estimate = self._estimate(waiting, now)
        if estimate is None:
            return None
        if self._finish is None:
            self._finish = now + estimate
        least, most = DAMPING_SECONDS
        constant = min(most, max(least, DAMPING * estimate))
        self._finish += (1 - math.exp((self._asked - now) / constant)) * (now + estimate - self._finish)
        self._asked = now
        return max(0.0, self._finish - now)

    def _estimate(self, waiting: Mapping[tuple[Any, int], int], now: float) -> float | None:
        running = [self._rest(fit, now) for fit in self._running.values()]
        done = self._run["done"] / self._run["wanted"] if self._run["done"] else 1.0  # a pruner stops fits early
        queued = [(self._epoch_seconds(kind, epochs), epochs * done, fits) for (kind, epochs), fits in waiting.items()]
        known = [seconds for seconds in running if seconds is not None]
        if len(known) < len(running) or any(seconds is None for seconds, _, _ in queued):
            return None
        fits = sum(waiting.values())
        queue = sum((seconds or 0.0) * epochs * number for seconds, epochs, number in queued)
        lanes = max(1, self._peak if self._run["done"] else max(self.lanes, self._peak))
        lanes = min(lanes, max(1, len(running) + fits))
        tail = queue / fits * (lanes - 1) / (2 * lanes) if fits else 0.0  # while the last fit runs, lanes lie idle
        estimate = max([(sum(known) + queue) / lanes + tail if fits else 0.0, *known])
        return estimate if estimate >= START_SECONDS or self._sums() else None

    def _rest(self, fit: _Running, now: float) -> float | None:
        seconds = self._epoch_seconds(fit.kind, fit.epochs)
        if seconds is None:
            return None
        under_way = min(now - fit.seen, max(seconds, fit.gap)) if fit.since is not None else 0.0
        return max(0.0, (fit.epochs - fit.epoch) * seconds - under_way)

    def _epoch_seconds(self, kind: Any, epochs: int) -> float | None:
        """Of this run, with the recorded ones as a little evidence; of a kind not seen yet, of the others."""
        measured = self._sums()
        if kind in measured:
            evidence = PRIOR_SHARE * epochs if kind in self.prior else 0.0
            own = measured[kind]
            return (evidence * self.prior.get(kind, 0.0) + own.seconds) / (evidence + own.epochs)
        if kind in self.prior:
            both = [(self.prior[other], one) for other, one in measured.items() if other in self.prior]
            expected = sum(seconds * one.epochs for seconds, one in both)
            return self.prior[kind] * (sum(one.seconds for _, one in both) / expected if expected else 1.0)
        total = sum(one.epochs for one in measured.values())
        return sum(one.seconds for one in measured.values()) / total if total else None

    def _sums(self) -> dict[Any, _Measured]:
        """By kind what was measured, fits under way included."""
        found = {kind: _Measured(one.epochs, one.seconds) for kind, one in self._measured.items()}
        for fit in self._running.values():
            epochs, seconds = fit.measured(fit.seen)
            if epochs > 0 and seconds > 0:
                found.setdefault(fit.kind, _Measured()).add(epochs, seconds)
        return found


def about(seconds: float) -> str:
    """A time in words no more exact than an estimate is: "about 4 min"."""
    minutes = seconds / 60
    if minutes < 0.75:
        return "under 1 min"
    if minutes < 9.5:
        return f"about {minutes:.0f} min"
    if minutes < 57.5:
        return f"about {5 * round(minutes / 5)} min"
    if minutes < 60 * 9.75:
        return f"about {round(minutes / 30) / 2:g} h"
    return f"about {minutes / 60:.0f} h" if minutes < 60 * 47.5 else f"about {minutes / 1440:.0f} days"
