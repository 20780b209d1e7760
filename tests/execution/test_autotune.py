"""`resources.trials_per_device: auto`: measured in real processes, limited by memory, refused where it is useless."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tal_search.errors import TalSearchError
from tal_search.execution import autotune
from tal_search.execution.autotune import best_packing
from tal_search.execution.driver import run_study
from tal_search.plan.plan import resolve
from tal_search.study import load_study
from tests.support.small_fits import make_data, make_spec
from tests.support.study_files import load, problems
from tests.support.waiting import wait_for

ALONE = r"resources\.trials_per_device=auto: 1 at once on this machine, the same as resources\.concurrent_trials=1 "
AUTO = "resources: {trials_per_device: auto}"


def settings(folder: Path) -> dict[str, object]:
    return {"device": "cpu", "threads": 1, "shared": str(folder / "features")}


def measuring() -> list[psutil.Process]:
    """Processes of this one that measure training steps."""
    return [child for child in psutil.Process().children() if "tal_search.execution.autotune" in child.cmdline()]


def test_a_real_study_measures_and_runs_that_many_at_once(
    on_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "ROUND_SECONDS", 0.2)
    sizes = ["train_videos=20", "test_videos=10", "channels=8"]
    overrides = [
        f"runs={tmp_path}", "tracking.mlflow=false", "dataset.source=simulated", "dataset.snippets=40",
        *(f"dataset.simulation.{size}" for size in sizes), "hyperparameters.epochs=2",
        "resources.trials_per_device=auto", "search.repeats.seeds=[0,1]", "resources.cpus_per_trial=1",
    ]  # fmt: skip
    sentences: list[str] = []
    outcome = run_study(resolve(load_study("thumos_single", overrides)), say=sentences.append)
    assert (len(outcome.finished), outcome.failed) == (2, {})
    (sentence,) = sentences
    count = re.search(r"auto: (\d+) at once on this machine, the same as resources\.concurrent_trials=(\d+) ", sentence)
    assert count is not None
    assert count[1] == count[2]
    rates = dict(re.findall(r"(\d+): ([\d.]+)[,;]", sentence))
    assert all(float(rate) > 1 for rate in rates.values())
    assert count[1] in rates
    again: list[str] = []
    run_study(resolve(load_study("thumos_single", overrides)), say=again.append)
    assert again == []  # nothing left to train, nothing measured


def test_no_more_are_tried_than_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "available_memory", lambda: 2**28)  # a trial takes at least half of it
    packing = best_packing(make_spec(make_data()), settings(tmp_path), most=8, seconds=0.1)
    assert packing.trials == 1
    assert re.fullmatch(
        ALONE + r"\(steps a second by trials at once: 1: [\d.]+; 2 would not fit into memory; "
        r"[\d.]+ MiB each, 256\.0 MiB free\)",
        packing.sentence,
    )
    assert measuring() == []


def test_a_second_trial_that_only_shares_the_steps_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "GAIN", 1000)
    packing = best_packing(make_spec(make_data()), settings(tmp_path), most=2, seconds=0.1)
    assert re.match(ALONE + r"\(steps a second by trials at once: 1: [\d.]+, 2: [\d.]+; ", packing.sentence)


def test_where_a_further_process_dies_fewer_are_run(tmp_path: Path) -> None:

    def kill_second() -> None:
        wait_for(lambda: len(measuring()) == 2)
        measuring()[1].kill()

    thread = threading.Thread(target=kill_second)
    thread.start()
    packing = best_packing(make_spec(make_data()), settings(tmp_path), most=8, seconds=0.1)
    thread.join()
    assert re.match(ALONE + r"\(steps a second by trials at once: 1: [\d.]+; of 2 one died; ", packing.sentence)
    assert measuring() == []


def test_a_trial_that_cannot_be_measured_is_one_sentence(tmp_path: Path) -> None:
    spec = make_spec(make_data())
    gone = replace(spec, method="gone")
    with pytest.raises(
        TalSearchError, match=r"auto: a process that measures training steps died \(.*gone.*\)"
    ) as raised:
        best_packing(gone, settings(tmp_path), most=2, seconds=0.1)
    assert "\n" not in str(raised.value)
    assert measuring() == []


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["backend=inline"], "is auto, but backend inline runs one trial at a time; drop it, or use backend ray"),
        (["resources.concurrent_trials=2"], "is auto, which chooses resources.concurrent_trials itself; drop one of"),
        (["resources.gpus_per_trial=0.5"], "is auto, which chooses resources.gpus_per_trial itself; drop one of them"),
        (["ray.address=h:1"], "is auto, which measures this machine alone; on a cluster give resources.concurrent_tr"),
        (["resources.trials_per_device=3"], "is 3; it must be auto or null"),
        (["resources.trials_per_device=automatic"], 'is "automatic"; it must be auto or null; did you mean'),
    ],
)
def test_settings_that_contradict_auto_are_refused(tmp_path: Path, overrides: list[str], sentence: str) -> None:
    (problem,) = problems(tmp_path, AUTO, *overrides)
    assert f": resources.trials_per_device {sentence}" in problem


def test_auto_is_off_by_default(tmp_path: Path) -> None:
    assert load(tmp_path, "description: x").resources.trials_per_device is None
    assert load(tmp_path, AUTO).resources.trials_per_device == "auto"
