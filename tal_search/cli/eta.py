"""Estimated time left of a run, from its own fits and from those recorded by earlier runs."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Kind = TypeVar("Kind")

COLD_SHARE = 0.25  # of a fit's epochs; after them its process has compiled everything and read its data
SAME_BATCH_SECONDS = 0.1  # reports closer than this came in one message of a worker
FORGET = 0.8  # weight of older fits of this run relative to the newest, because the load of a machine changes
PRIOR_SHARE = 0.25  # of a fit: the weight of the recorded seconds per epoch
START_SECONDS = 300.0  # shorter estimates from recorded fits alone are not shown: starting workers may take longer
DAMPING = 0.15  # time constant of the smoothed finishing time, as a share of the time left
DAMPING_SECONDS = (2.0, 60.0)  # bounds of that time constant


@dataclass
class _Running(Generic[Kind]):
    """A running fit. since, first: time and epoch from which it is measured; since is None while it warms up."""

    kind: Kind
    epochs: int
    since: float | None
    seen: float
    first: int = 0
    epoch: int = 0
    gap: float = 0.0  # seconds between its last two messages

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
        """Epochs and seconds since the measurement began."""
        return (0.0, 0.0) if self.since is None else (self.epoch - self.first, now - self.since)


@dataclass
class _Measured:
    """Epochs of one kind of fit and their wall-clock seconds, with lower weights for older ones."""

    epochs: float = 0.0
    seconds: float = 0.0

    def add(self, epochs: float, seconds: float, forget: float = 1.0) -> None:
        self.epochs, self.seconds = forget * self.epochs + epochs, forget * self.seconds + seconds


@dataclass
class Eta(Generic[Kind]):
    """Estimator of the time left. Times are seconds of one monotonic clock.

    Fits of the same kind have about equally long epochs. prior: recorded seconds per epoch by kind. lanes: concurrent
    fits, as far as known before they run. The first fit of a lane is measured only once it is warm: importing,
    compiling and reading take longer than many of its epochs.
    """

    prior: Mapping[Kind, float]
    lanes: int
    _running: dict[str, _Running[Kind]] = field(default_factory=dict)
    _measured: dict[Kind, _Measured] = field(default_factory=dict)
    _free_since: deque[float] = field(default_factory=deque)  # when the idle lanes became free
    _starts: int = 0
    _peak: int = 0  # most concurrent fits so far
    _run: Counter[str] = field(default_factory=Counter)  # epochs of ended fits: planned ("wanted") and "done"
    _finish: float | None = None  # smoothed finishing time
    _asked: float = 0.0

    def started(self, key: str, kind: Kind, epochs: int, now: float) -> None:
        """A fit started, or restarted in another process."""
        free = self._free_since.popleft() if self._free_since and key not in self._running else None
        cold = self._starts < max(self.lanes, self._peak) or free is None
        self._starts += 1
        self._running[key] = _Running(kind, max(1, epochs), None if cold else free, now)
        self._peak = max(self._peak, len(self._running))

    def reported(self, key: str, epoch: int, now: float, *, scored: bool = False) -> None:
        """A running fit finished an epoch; scored: it was also evaluated."""
        if key in self._running:
            self._running[key].report(epoch, scored, now)

    def ended(self, key: str, now: float) -> None:
        """A fit finished, failed or was stopped early."""
        fit = self._running.pop(key, None)
        if fit is None:
            return
        self._free_since.append(now)
        self._run.update(wanted=fit.epochs, done=fit.epoch)
        epochs, seconds = fit.measured(now)
        if epochs > 0:
            self._measured.setdefault(fit.kind, _Measured()).add(epochs, seconds, FORGET)

    def left(self, waiting: Mapping[tuple[Kind, int], int], now: float) -> float | None:
        """Seconds until all fits have ended, smoothed; None while there is no basis for an estimate.

        waiting: number of fits that have not started, by kind and epochs.
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

    def _estimate(self, waiting: Mapping[tuple[Kind, int], int], now: float) -> float | None:
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

    def _rest(self, fit: _Running[Kind], now: float) -> float | None:
        seconds = self._epoch_seconds(fit.kind, fit.epochs)
        if seconds is None:
            return None
        under_way = min(now - fit.seen, max(seconds, fit.gap)) if fit.since is not None else 0.0
        return max(0.0, (fit.epochs - fit.epoch) * seconds - under_way)

    def _epoch_seconds(self, kind: Kind, epochs: int) -> float | None:
        """Seconds per epoch: of this run, with a small weight on recorded ones; for a new kind, from the others."""
        measured = self._sums()
        if kind in measured:
            evidence = PRIOR_SHARE * epochs if kind in self.prior else 0.0
            own = measured[kind]
            return (evidence * self.prior.get(kind, 0.0) + own.seconds) / (evidence + own.epochs)
        if kind in self.prior:
            both = [(self.prior[other], fits) for other, fits in measured.items() if other in self.prior]
            expected = sum(seconds * fits.epochs for seconds, fits in both)
            return self.prior[kind] * (sum(fits.seconds for _, fits in both) / expected if expected else 1.0)
        total = sum(fits.epochs for fits in measured.values())
        return sum(fits.seconds for fits in measured.values()) / total if total else None

    def _sums(self) -> dict[Kind, _Measured]:
        """Epochs and seconds by kind, running fits included."""
        sums = {kind: _Measured(fits.epochs, fits.seconds) for kind, fits in self._measured.items()}
        for fit in self._running.values():
            epochs, seconds = fit.measured(fit.seen)
            if epochs > 0 and seconds > 0:
                sums.setdefault(fit.kind, _Measured()).add(epochs, seconds)
        return sums


def about(seconds: float) -> str:
    """A time in words, no more exact than an estimate: "about 4 min"."""
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
