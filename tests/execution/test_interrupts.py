"""SIGINT and SIGTERM on real processes: running trials save, or after a grace period keep their last checkpoint."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tal_search.errors import Interrupted, TalSearchError
from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.trial.folder import TrialFolder
from tests.support.killed_program import ENDLESS, SHORT, end, program, running
from tests.support.small_trials import history, make_spec
from tests.support.waiting import DEADLINE, wait_for

LONG = 2 * DEADLINE  # a grace that no test waits for


@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_ctrl_c_in_a_terminal_saves_running_trials(backend: str, tmp_path: Path) -> None:
    with program(backend, tmp_path, SHORT, LONG) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the driver and all it started
        out, error = end(process)
    assert process.returncode == 130, (out, error)
    assert out.splitlines()[-1] == "Interrupted handlers restored"
    assert error == ""
    for seed in running(backend):
        folder = TrialFolder.of(tmp_path, make_spec(seed, **SHORT).key)
        assert history(folder)[-1] == "saved"
        saved = json.loads((folder.path / "count.json").read_text())["epoch"]
        assert saved == len(history(folder, "epoch")) > 0


@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_sigterm_to_the_driver_alone_leaves_an_epoch_that_does_not_end(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if backend == "ray":
        request.getfixturevalue("on_cluster")  # Ray stays, its driver leaves
    with program(backend, tmp_path, ENDLESS) as process:
        process.send_signal(signal.SIGTERM)
        out, error = end(process)
    assert process.returncode == 143, (out, error)
    assert out.splitlines()[-1] == "Interrupted handlers restored"
    assert error == ""
    assert history(TrialFolder.of(tmp_path, make_spec(0, **ENDLESS).key)) == ["epoch 1", "endless"]


@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_a_second_sigint_ends_at_once(backend: str, tmp_path: Path) -> None:
    with program(backend, tmp_path, ENDLESS, LONG) as process:
        process.send_signal(signal.SIGINT)
        wait_for((tmp_path / "heard").exists, process)
        process.send_signal(signal.SIGINT)
        out, error = end(process)
    assert process.returncode == 130, (out, error)
    assert "Interrupted" not in out
    assert error == ""


def test_a_signal_to_all_of_a_group_is_what_ended_ray() -> None:
    with DeferredInterrupt() as interrupt:
        interrupt.request(signal.SIGTERM)
        interrupt.fail(TalSearchError("Ray stopped"))
        with pytest.raises(Interrupted) as raised:
            interrupt.check()
    assert raised.value.exit_code == 143
