"""Where trials come from: a plan drawn up before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from tal_search.types import TrialSpec


class Planned:
    """Proposes the specs of a list, in order, each once."""

    def __init__(self, specs: Iterable[TrialSpec]) -> None:
        self._specs = iter(tuple(specs))

    def ask(self) -> TrialSpec | None:
        return next(self._specs, None)
