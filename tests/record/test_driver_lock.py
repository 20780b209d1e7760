"""One driver at a time runs a study: a second one is refused, and a killed one's study is continued."""

from __future__ import annotations

import re
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.execution.driver import run_study
from tal_search.files.lock_file import LockLost
from tal_search.proposers.events import Event, Finished
from tal_search.record import driver_lock
from tests.support.held_study import held
from tests.support.small_plans import cell_spec, plan_of, recorded, run
from tests.support.small_trials import counting_trial


def words(pid: int) -> str:
    return rf"process {pid} on {re.escape(socket.gethostname())}, started \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"


def test_a_second_driver_of_the_same_study_is_told_who_runs_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec()])
    with held(tmp_path / "grid") as holder:
        sentence = rf"grid is running already: {words(holder.pid)}; wait for it or stop it$"
        for _ in range(2):  # being refused leaves the holder's name in place
            with pytest.raises(InputError, match=sentence):
                run(plan)
        assert not (tmp_path / "grid" / "record.db").exists()
        other, _ = run(plan_of(tmp_path, [cell_spec()], "other"))
        assert other.finished, "another study runs beside it"
    said: list[str] = []
    assert run_study(plan, say=said.append, trial=counting_trial).finished
    assert said == [], "it ended in order"


def test_a_run_after_a_killed_driver_continues_its_study_and_says_so(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec()])
    with held(tmp_path / "grid") as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    said: list[str] = []
    for _ in range(2):
        assert run_study(plan, say=said.append, trial=counting_trial).finished
    (sentence,) = said
    assert re.fullmatch(
        rf"The last run of this study \({words(holder.pid)}\) was killed; this run continues it\.", sentence
    )
    (tmp_path / "grid" / "driver.lock").write_text('{"host": "a", "pi')  # killed, or out of disk, while it wrote
    run_study(plan, say=said.append, trial=counting_trial)
    assert "process unknown on unknown" in said[1]


def once_finished(action: Callable[[], object]) -> Callable[[Event], None]:
    """A handler of events that does something once the first trial has finished."""
    done: list[object] = []

    def handle(event: Event) -> None:
        if isinstance(event, Finished) and not done:
            done.append(action())

    return handle


@pytest.mark.parametrize("lost", ["driver.lock", "."])
def test_a_driver_without_its_lock_ends_while_a_trial_trains_and_the_next_one_goes_on(
    lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_lock, "WATCH_SECONDS", 0.05)
    folder, away = tmp_path / "grid", tmp_path / "away"
    plan = plan_of(tmp_path, [cell_spec(0), cell_spec(1, endless=2), cell_spec(2)])
    lose = once_finished(lambda: (folder / lost).resolve().rename(away))
    with pytest.raises(LockLost, match=r"grid/driver.lock was removed or replaced while its study ran, so .* again"):
        run_study(plan, on_event=lose, trial=counting_trial)
    if lost == ".":
        assert not folder.exists(), "nothing is written at the old place"
        away.rename(folder)
    assert recorded(plan)[0] == ("COMPLETE", plan.trials[0].id)
    done = plan_of(tmp_path, [cell_spec(0), cell_spec(2)])
    assert run_study(done, trial=counting_trial).cached == 1


def test_a_driver_whose_lock_was_taken_leaves_it_to_the_next(tmp_path: Path) -> None:
    plan, outcomes = plan_of(tmp_path, [cell_spec(0), cell_spec(1)]), []

    def take() -> None:
        (tmp_path / "grid" / "driver.lock").unlink()
        outcomes.append(run_study(plan, trial=counting_trial))

    with pytest.raises(LockLost, match="was removed or replaced"):
        run_study(plan, on_event=once_finished(take), trial=counting_trial)
    assert sorted(outcomes[0].finished) == sorted(trial.id for trial in plan.trials)
    assert recorded(plan) == [("COMPLETE", trial.id) for trial in plan.trials]
    said: list[str] = []
    run_study(plan, say=said.append, trial=counting_trial)
    assert said == [], "the second driver ended in order"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_record_that_is_removed_under_its_driver_is_not_made_again(replaced: bool, tmp_path: Path) -> None:
    plan, record = plan_of(tmp_path, [cell_spec(0), cell_spec(1)]), tmp_path / "grid" / "record.db"
    away = tmp_path / "away.db"

    def remove() -> None:
        shutil.copy(record, away)
        record.unlink()
        if replaced:
            record.write_bytes(b"another file")

    restore = r"record.db was removed or replaced .* so this driver ends; restore it, then run the same command again"
    with pytest.raises(LockLost, match=restore):
        run_study(plan, on_event=once_finished(remove), trial=counting_trial)
    assert record.exists() == replaced
    assert not replaced or record.read_bytes() == b"another file"
    for left in (record, *record.parent.glob("record.db-*")):
        left.unlink(missing_ok=True)
    away.rename(record)
    assert sorted(run_study(plan, trial=counting_trial).finished) == sorted(trial.id for trial in plan.trials)
