"""Stalled trials in this process: left where Python can, named where it cannot."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.execution import stalls
from tal_search.execution.inline_backend import InlineBackend
from tal_search.proposers.events import Event, Failed, Finished, Noted, Stalled
from tal_search.trial.folder import TrialFolder
from tests.support.small_trials import Listed, counting_trial, history, make_result, make_spec
from tests.support.waiting import IMPORTABLE

SECONDS = 0.6
HOLDER = """
import os, signal, sys
from pathlib import Path
from tal_search.execution.worker import Work
from tests.support.small_trials import counting_trial, make_spec
work = Work(make_spec(epochs=50, seconds=0.05), Path(sys.argv[1]), counting_trial)
print(work.advance().reports[0].epoch, flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "NAMED_SECONDS", SECONDS / 2)
    monkeypatch.setattr(stalls, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(stalls, "LONGEST_POLL", 0.1)  # so that a busy machine does not skip a report
    monkeypatch.setattr("tal_search.execution.inline_backend.POLL_SECONDS", 0.05)


def backend(runs: Path, retries: int = 3) -> InlineBackend:
    return InlineBackend(runs=runs, trial=counting_trial, retries=retries, stall_minutes=SECONDS / 60)  # type: ignore[arg-type]


def texts(events: list[Event], kind: type[Stalled] | type[Noted]) -> list[str]:
    return [event.text or "" for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("how", ["loop", "read"])
def test_a_trial_that_hangs_is_named_left_and_started_again(how: str, tmp_path: Path) -> None:
    spec, events = make_spec(stalls=how), list[Event]()
    backend(tmp_path).run(Listed([spec]), events.append)
    (named,) = texts(events, Stalled)
    assert re.match(r"no progress for \d s \(last: starting; device unknown, process \d+ on ", named)
    (again,) = texts(events, Noted)
    assert re.match(r"it was abandoned: no progress for \d s \(last: ", again)
    assert again.endswith("; started again from its checkpoint (1 of 3)")
    assert events[-1] == Finished(spec, make_result(spec))
    assert history(TrialFolder.of(tmp_path, spec.key)) == ["epoch 1", "stall", "epoch 2", "epoch 3", "finished"]


def test_a_trial_that_always_hangs_fails_with_the_reason(tmp_path: Path) -> None:
    spec, other, events = make_spec(stalls="read", times=100), make_spec(1), list[Event]()
    backend(tmp_path, retries=1).run(Listed([spec, other]), events.append)
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert re.match(r"it was abandoned 2 times, the last time after no progress for \d s \(last: ", failed.reason)
    assert events[-1] == Finished(other, make_result(other))


def test_a_fit_that_a_stopped_process_holds_is_named_and_given_up_and_other_fits_go_on(tmp_path: Path) -> None:
    held, other, events = make_spec(epochs=50, seconds=0.05), make_spec(1), list[Event]()
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": IMPORTABLE}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "1\n"
            os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
            backend(tmp_path).run(Listed([held, other]), events.append)
        finally:
            holder.send_signal(signal.SIGKILL)
    whose = f"process {holder.pid} on "
    (named,) = texts(events, Stalled)
    assert named.startswith("another command trains the same fit and made no progress for ")
    assert whose in named
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.spec == held
    assert failed.reason.endswith("; end that process, and the next command trains the fit")
    assert whose in failed.reason
    assert events[-1] == Finished(other, make_result(other))
    assert history(TrialFolder.of(tmp_path, held.key)) == ["epoch 1"], "nothing of the other's work is touched"


@pytest.mark.parametrize("error", [ValueError("no such row"), SystemExit(3)], ids=["error", "exit"])
@pytest.mark.parametrize("how", ["loop", "read"])
def test_an_error_in_the_handler_of_a_stall_ends_the_run(how: str, error: BaseException, tmp_path: Path) -> None:
    spec = make_spec(stalls=how)

    def handle(event: Event) -> None:
        if isinstance(event, Stalled):
            raise error

    with pytest.raises(type(error)) as caught:
        backend(tmp_path).run(Listed([spec]), handle)
    assert caught.value is error
    assert history(TrialFolder.of(tmp_path, spec.key)) == ["epoch 1", "stall"]
