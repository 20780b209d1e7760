"""The proposer of planned studies: the trials of the plan, then adaptive repeats.

The proposer of studies with a sampler is `sampled.Sampled`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tal_search.plan.adaptive_repeats import next_repeats
from tal_search.plan.cells import Trial, fits
from tal_search.plan.plan import Plan
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Pruned, Wait
from tal_search.trial.trial_types import TrialResult, TrialSpec

Want = Callable[[Sequence[Trial]], dict[str, TrialResult]]


class Planned:
    """See `Proposer`. want: adds trials to the study; returns the results that are known already, by id."""

    def __init__(self, plan: Plan, want: Want) -> None:
        self._plan, self._want = plan, want
        self._trials: dict[str, Trial] = {}
        self._results: dict[str, TrialResult] = {}
        self._running: set[str] = set()
        self._queue: list[TrialSpec] = []
        self._add(plan.trials)

    def ask(self) -> TrialSpec | Wait | None:
        while not self._queue:
            if self._running and self._plan.study.search.repeats.until is not None:
                return WAIT  # results of running trials decide whether more repeats are needed
            if self._running or not self._add_repeats():
                return None
        limit = self._plan.study.budget.trials
        if limit is not None and len(self._results) + len(self._running) >= limit:
            return None
        spec = self._queue.pop(0)
        self._running.add(spec.key)
        return spec

    @property
    def ended(self) -> str | None:
        more = self._queue or self._running or self._plan.study.search.repeats.until is not None
        return None if more else ""

    def stops(self, spec: TrialSpec) -> bool:  # noqa: ARG002
        return False

    def tell(self, event: Event) -> None:
        """A fit that has ended no longer counts as running."""
        if isinstance(event, Finished | Failed | Pruned):
            self._running.discard(event.spec.key)

    def answered(self, trial: Trial, result: TrialResult) -> None:
        """Store the result of a trial."""
        self._results[trial.id] = result

    def _add(self, trials: Iterable[Trial]) -> bool:
        """Add these trials to the study; False if it has all of them."""
        new = {trial.id: trial for trial in trials if trial.id not in self._trials}
        known = self._want(list(new.values()))
        self._trials |= new
        self._results |= known
        self._queue.extend(fits(trial for name, trial in new.items() if name not in known))
        return bool(new)

    def _add_repeats(self) -> bool:
        """Add a repeat of every cell whose interval is too wide, and the centre's; False if there is none."""
        return self._add(next_repeats(self._plan, self._trials.values(), self._results))
