"""What a real trial runs is in the version of its code: small trials of every method, run under a tracer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from tal_search.methods import available
from tal_search.trial.code_version import PACKAGE, reach
from tal_search.trial.code_version.sources import Definition, Package
from tests.support.paths import ROOT, SUPPORT

pytestmark = pytest.mark.slow
# Functions that ran and are neither in the version nor behind its boundary, and why that is right.
NEITHER: dict[str, str] = {}


class Ran(NamedTuple):
    """A trial, and module and qualified name of each function of the package that it ran outside the boundary."""

    name: str
    method: str
    source: str
    functions: list[tuple[str, str]]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    paths = os.pathsep.join([str(PACKAGE.parent), str(ROOT)])
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "traced_trials.py"), str(tmp_path_factory.mktemp("traced"))],
        capture_output=True, text=True, timeout=500, env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Ran(*found) for found in json.loads(done.stdout)]


def test_every_function_that_a_trial_runs_is_in_its_version(traced: list[Ran]) -> None:
    package, missing = Package(PACKAGE), set()
    for ran in traced:
        known = reach(package, ran.method, ran.source).definitions
        for module, name in ran.functions:
            if Definition(module, name.split(".")[0]) not in known and name not in NEITHER:
                missing.add(f"{ran.name}: {module}.{name}")
    assert not missing, sorted(missing)


def test_the_trials_run_what_counts(traced: list[Ran]) -> None:
    """Or the test above would show nothing."""
    assert {ran.method for ran in traced} == set(available())
    assert {ran.source for ran in traced} == {"features", "simulated"}
    names = {ran.name: {name for _, name in ran.functions} for ran in traced}
    every = {
        "Fit.step",
        "score_settings",
        "suppress",
        "propose",
        "match_detections",
        "supervise",
        "Activations.rounded",
        "halved",
    }
    assert every <= names["backtal simulated"]
    assert {"separation_loss", "affinity_loss", "simulate"} <= names["backtal simulated"]
    assert {"rescale", "FeatureSplit.load"} <= names["backtal features"]
    assert {"holdout_split", "Progress._best", "Progress._outcome", "plain_average_precision"} <= names["holdout"]
    assert {"_rows_per_minute", "Timing.sampled"} <= names["few clicks"] | names["timed"]
    assert "soften" in names["asl simulated"]
    assert not [
        name for found in names.values() for name in found if name.startswith(("TrialFolder", "read_video", "write_"))
    ]
