"""The contract between the driver and the backends that run trials: specs in, events out.

Two backends pass one test suite: `ray_backend` (Ray Tune, worker processes) and `inline_backend` (this process).
"""

from __future__ import annotations

from typing import Protocol

from tal_search.proposers.events import Handler, Proposer


class Backend(Protocol):
    def run(self, proposer: Proposer, handle: Handler) -> None:
        """Run every proposed trial, calling `handle` in the driver's main thread for each event.

        Only a `Stalled` event may come from another thread. An error in `handle` ends the run, and is raised here.
        A failing trial is an event, not an exception; a trial that the proposer stops saves its checkpoint before its
        `Pruned` event. On SIGINT or SIGTERM every running trial writes its checkpoint, then Interrupted is raised.
        """
