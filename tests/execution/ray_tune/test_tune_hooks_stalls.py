"""Workers of Ray that stall for real: stopped by a signal, or in an endless loop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tal_search.execution import stalls
from tal_search.proposers.events import Failed, Finished, Noted, Stalled
from tal_search.trial.folder import TrialFolder
from tests.support.ray_cluster import of, ray_backend, run
from tests.support.small_trials import history, make_spec

SECONDS = 8.0  # longer than a worker needs to begin, and a stopped one to die


@pytest.mark.slow
def test_a_stalled_worker_is_named_killed_and_its_trial_started_again(
    on_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "NAMED_SECONDS", SECONDS / 2)
    monkeypatch.setattr(stalls, "LONGEST_POLL", 2.0)  # so that a busy machine does not skip a report
    stopped, looping = make_spec(0, stalls="stopped"), make_spec(1, stalls="loop")
    always = make_spec(2, stalls="read", times=100)
    events = run(ray_backend(tmp_path, retries=1, stall_minutes=SECONDS / 60), [stopped, looping, always])
    for spec in (stopped, looping):
        # A busy machine may also start a worker so slowly that it is named before its first step.
        named = [event.text for event in of(events, spec) if isinstance(event, Stalled) and event.text]
        assert any(re.match(r"no progress for \d+ s \(last: starting; device unknown, ", text) for text in named), named
        (noted,) = [event for event in of(events, spec) if isinstance(event, Noted)]
        assert re.match(r"its worker process was killed: no progress for \d+ s \(last: ", noted.text), noted
        assert noted.text.endswith("; started again from its checkpoint (1 of 1)")
        assert isinstance(of(events, spec)[-1], Finished)
        assert history(TrialFolder.of(tmp_path, spec.key)) == ["epoch 1", "stall", "epoch 2", "epoch 3", "finished"]
    failed = of(events, always)[-1]
    assert isinstance(failed, Failed)
    assert re.match(r"its worker process ended 2 times, the last time killed: no progress for \d+ s", failed.reason)
    assert failed.reason in TrialFolder.of(tmp_path, always.key).log.read_text()
