"""One driver at a time runs a study: a second one is refused, and a killed one's study is continued."""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.execution.driver import run_study
from tests.support.held_study import held
from tests.support.small_plans import cell_spec, plan_of, run
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
