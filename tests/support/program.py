"""A program that runs counting trials on a backend, for tests that kill it or its servers; not a test itself.

Arguments: inline | ray, the runs folder, the trials' behaviour as JSON, seconds of grace for epochs under way. Prints
each event, then how it ended; makes a file `heard` in the runs folder once it has received a signal.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from tal_search.errors import Interrupted, TalSearchError
from tal_search.execution import interrupts
from tal_search.execution.backend import Backend
from tal_search.execution.inline_backend import InlineBackend
from tal_search.proposers.events import Event
from tests.support.small_trials import Listed, counting_trial, make_spec


def backend(name: str, runs: Path) -> Backend:
    if name == "inline":
        return InlineBackend(runs=runs, trial=counting_trial)
    from tal_search.execution.ray_tune.ray_backend import RayBackend

    return RayBackend(runs=runs, trial=counting_trial)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(event: Event) -> None:
    say(f"{type(event).__name__} {event.spec.seed}")


def leave_file_when_heard(file: Path) -> None:
    plain = interrupts.DeferredInterrupt.request

    def request(interrupt: interrupts.DeferredInterrupt, number: int) -> None:
        plain(interrupt, number)
        file.touch()

    interrupts.DeferredInterrupt.request = request  # type: ignore[method-assign]


def main(name: str, runs: str, behaviour: str, grace: str) -> int:
    interrupts.GRACE_SECONDS = float(grace)
    leave_file_when_heard(Path(runs, "heard"))
    specs = [make_spec(seed, **json.loads(behaviour)) for seed in range(2)]
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    try:
        backend(name, Path(runs)).run(Listed(specs), show)
    except Interrupted as interrupted:
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
        say(f"Interrupted handlers {'restored' if after == before else after}")
        return interrupted.exit_code
    except TalSearchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
