"""Programs for `test_cluster.py`: a Ray of three nodes on this machine, and a driver that joins it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.small_trials import counting_trial, history, make_spec, note

TRIALS = 10
NODE = "TAL_TEST_NODE"  # set in the processes of each node


def specs() -> list[TrialSpec]:
    return [make_spec(seed, epochs=3, seconds=0.4) for seed in range(TRIALS)]


def placed_trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport]:
    """Counts, and notes the node that it counts on."""
    note(folder, f"node {os.environ[NODE]}")
    yield from counting_trial(spec, folder)


class Listed:
    """Proposes each of `specs` and stops none."""

    def __init__(self) -> None:
        self._left = iter(specs())

    def ask(self) -> TrialSpec | None:
        return next(self._left, None)

    def stops(self, spec: TrialSpec) -> bool:
        return False


def nodes_of(runs: Path, spec: TrialSpec) -> list[str]:
    """The nodes a trial began on, in order."""
    return [line.split()[1] for line in history(TrialFolder.of(runs, spec.key), "node ")]


def cluster() -> None:
    """Three nodes of one CPU; prints its address, kills the third node at the first line read, ends at the second."""
    from ray.cluster_utils import Cluster

    ray_cluster = Cluster()
    names = ("first", "second", "third")
    nodes = [ray_cluster.add_node(num_cpus=1, env_vars={NODE: name}, include_dashboard=False) for name in names]
    try:
        say(ray_cluster.address)
        sys.stdin.readline()
        ray_cluster.remove_node(nodes[-1], allow_graceful=False)
        say("killed")
        sys.stdin.readline()
    finally:
        ray_cluster.shutdown()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def drive(address: str, runs: str, log: str) -> None:
    """Run all trials on a cluster; a line of JSON for each event, written before the next."""
    from tal_search.execution.ray_tune.ray_backend import RayBackend
    from tal_search.proposers.events import Event, Noted

    with Path(log).open("a") as file:

        def handle(event: Event) -> None:
            text = event.text if isinstance(event, Noted) else None
            line = {"event": type(event).__name__, "seed": event.spec.seed, "text": text}
            file.write(json.dumps(line) + "\n")
            file.flush()

        RayBackend(runs=Path(runs), trial=placed_trial, address=address).run(Listed(), handle)


if __name__ == "__main__":
    {"cluster": cluster, "drive": drive}[sys.argv[1]](*sys.argv[2:])
