"""kill -9 of the driver at random moments: the same command resumes, nothing acknowledged is lost, nothing runs twice.

TAL_CHAOS_KILLS (6) kills: 2 of a planned study and 2 of a sampler's on the inline backend, 2 on Ray; `make chaos` makes
them 75, 75 and 50. The checks compare the record with a log of the test's event handler and the trials' own notes.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import optuna
import psutil
import pytest

from tests.support.chaos_driver import CHECKPOINT_EPOCHS
from tests.support.paths import SUPPORT
from tests.support.waiting import DEADLINE, GONE_SECONDS, wait_for

KILLS = int(os.environ.get("TAL_CHAOS_KILLS", "6"))
RAY = max(2, KILLS // 4)
INLINE = max(2, KILLS - RAY)
EPOCHS = 8
COMMON = (f"hyperparameters.epochs={EPOCHS}", "dataset.source=simulated", "search.repeats.annotators=[A1]")


def planned(trials: int) -> list[str]:
    """The arguments of a planned study of at least so many trials."""
    seeds = list(range(max(1, trials // 5 + 1)))
    return ["quickstart", *COMMON, f"search.repeats.seeds={seeds}".replace(" ", "")]


def sampled(trials: int) -> list[str]:
    return ["thumos_search", *COMMON, "search.pruner=none", "search.sampler.name=random", f"budget.trials={trials}"]


def start(runs: Path, study: list[str], *overrides: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        str(SUPPORT / "chaos_driver.py"),
        str(runs),
        str(runs / "acknowledged"),
        *study,
        *overrides,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_again_and_again(
    runs: Path, study: list[str], kills: int, starting: float, training: float, *overrides: str
) -> None:
    """Kill that many drivers at random moments, in turn while trials run and at any time, the start included.

    training, starting: the longest delays of these, in seconds. A driver that ends before its kill fails the test,
    because the study was too short.
    """
    chance = random.Random(str(study))
    for number in range(kills):
        before = epochs(runs)
        with start(runs, study, *overrides) as driver:
            if number % 2 == 0:
                wait_for(lambda before=before: epochs(runs) > before, driver)  # type: ignore[misc]
                time.sleep(chance.uniform(0.0, training))
            else:
                time.sleep(chance.uniform(0.1, starting))
            assert driver.poll() is None, f"over before kill {number + 1} of {kills}: {driver.communicate()}"
            driver.kill()
            driver.communicate()


def epochs(runs: Path) -> int:
    """Epochs that all trials have noted."""
    return sum(path.read_text().count("epoch") for path in runs.glob("trials/*/history"))


def finish(runs: Path, study: list[str], *overrides: str) -> list[str]:
    """Run to the end; the ids of the finished trials."""
    with start(runs, study, *overrides) as driver:
        out, err = driver.communicate(timeout=DEADLINE)
    assert driver.returncode == 0, err
    outcome = json.loads(out.splitlines()[-1])
    assert outcome["failed"] == {}
    return list(outcome["finished"])


def check(runs: Path, name: str, finished: list[str]) -> None:
    acknowledged = (runs / "acknowledged").read_text().splitlines()
    keys = {trial.partition("-")[0] for trial in finished}
    twice = [key for key, count in collections.Counter(acknowledged).items() if count > 1]
    assert not twice, "no result is acknowledged twice"
    assert keys >= set(acknowledged), "no acknowledged result is lost"
    for key in keys:
        history = (runs / "trials" / key / "history").read_text().splitlines()
        assert history.count("finished") <= 1
        noted = [int(line.split()[1]) for line in history if line.startswith("epoch")]
        assert set(noted) == set(range(1, EPOCHS + 1))
        back = [before + 1 - after for before, after in itertools.pairwise(noted)]
        assert all(0 <= lost <= CHECKPOINT_EPOCHS for lost in back), (key, noted)
    storage = optuna.storages.RDBStorage(f"sqlite:///{runs / name / 'record.db'}")
    try:
        trials = storage.get_all_trials(storage.get_study_id_from_name(name))
        recorded = collections.Counter(trial.user_attrs["id"] for trial in trials if trial.state.name == "COMPLETE")
        assert recorded == collections.Counter(finished), "each finished trial exactly once"
        assert all(trial.state.name == "COMPLETE" for trial in trials)
        if name == "thumos_search":
            cells = storage.get_all_trials(storage.get_study_id_from_name(f"{name}: cells"))
            assert {cell.state.name for cell in cells} == {"COMPLETE"}
            assert 2 * len(cells) == len(finished)
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("study", [planned, sampled])
def test_inline_driver(study: collections.abc.Callable[[int], list[str]], tmp_path: Path) -> None:
    kills = INLINE // 2 + (INLINE % 2 if study is planned else 0)
    asked = study(6 * kills)
    kill_again_and_again(tmp_path, asked, kills, 2.0, 1.0, "backend=inline")
    check(tmp_path, asked[0], finish(tmp_path, asked, "backend=inline"))


@pytest.mark.slow
def test_ray_driver(tmp_path: Path) -> None:
    asked = planned(18 * RAY)
    kill_again_and_again(tmp_path, asked, RAY, 9.0, 1.5)
    check(tmp_path, asked[0], finish(tmp_path, asked))
    # Killed processes take a moment to go.
    left = [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or [])]
    assert not psutil.wait_procs(left, timeout=GONE_SECONDS)[1]
