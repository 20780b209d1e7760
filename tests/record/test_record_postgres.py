"""The record on a real PostgreSQL: written, reopened, its server restarted; no sentence shows a password."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from tal_search.errors import InputError
from tal_search.plan.cells import Trial
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tal_search.trial.trial_types import EpochReport
from tests.support.postgres_server import DATABASE, USER, Server
from tests.support.small_records import trials_of
from tests.support.small_trials import TIOU, make_result, make_spec

PASSWORD = "swordfish"
VALUES = [0.25, 1.0, 4.0]


@pytest.fixture
def postgres_url(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A record's URL as a study would give it: the password is in the environment."""
    monkeypatch.setenv("PGPASSWORD", server.password)
    return server.url


def open_record(url: str, study: str, values: list[float] = VALUES) -> Record:
    return Record.open(url, study, {"lambda_sep": distribution_of(values)}, {"method": "backtal"})


def trial_of(seed: int = 0, lambda_sep: float = 1.0) -> Trial:
    spec = make_spec(seed, cell={"lambda_sep": lambda_sep}, frame_weight=0.5, beta_aff=0.8)
    spec = replace(spec, protocol={"selection": "holdout", "tiou": TIOU})
    return Trial(cell=spec.cell, spec=spec, inference=spec.inference, annotation_seconds=48.0)


def report(epoch: int) -> EpochReport:
    scores = {"test/mAP/0.5": 0.9, "holdout/mAP/0.5": epoch / 10}
    return EpochReport(epoch=epoch, epochs=3, seconds=0.1, losses={"total": 1.0}, scores=scores)


def test_trials_from_start_to_end_and_a_record_opened_again(postgres_url: str) -> None:
    finished, failed, left = (trial_of(seed, value) for seed, value in enumerate(VALUES))
    with open_record(postgres_url, "grid") as record:
        assert [record.start(trial) for trial in (finished, failed, left, finished)] == [0, 1, 2, 0]
        for epoch in (1, 2, 3):
            record.report(finished, report(epoch))
        record.finish(finished, make_result(finished.spec), cached=False)
        record.fail(failed, "diverged at epoch 2: the loss total is nan")
    with open_record(postgres_url, "grid") as record:
        assert record.finished() == {finished.id: make_result(finished.spec)}
        assert record.start(left) == 2
        record.finish(left, make_result(left.spec), cached=True)
        assert record.start(failed) == 3
    trials = trials_of(postgres_url, "grid")
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "RUNNING"]
    assert trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert [trial.params["lambda_sep"] for trial in trials] == [0.25, 1.0, 4.0, 1.0]
    assert trials[1].user_attrs["reason"] == "diverged at epoch 2: the loss total is nan"
    assert trials[3].user_attrs["attempt"] == 2


def test_wider_axes_and_other_settings_as_on_a_file(postgres_url: str) -> None:
    trial = trial_of()
    with open_record(postgres_url, "wider") as record:
        record.finish(trial, make_result(trial.spec), cached=False)
    with open_record(postgres_url, "wider", [*VALUES, 16.0]) as record:
        assert list(record.finished()) == [trial.id]
    (stored,) = trials_of(postgres_url, "wider")
    assert stored.distributions["lambda_sep"] == optuna.distributions.FloatDistribution(0.25, 16.0, log=True)
    with pytest.raises(InputError, match="started with other settings"):
        Record.open(postgres_url, "wider", {}, {"method": "another"})


def test_a_server_that_was_restarted_between_two_writes_loses_nothing(server: Server, postgres_url: str) -> None:
    first, second = trial_of(0), trial_of(1)
    with open_record(postgres_url, "restarted") as record:
        record.start(first)
        server.stop()
        server.start()
        record.report(first, report(3))
        record.finish(first, make_result(first.spec), cached=False)
        assert record.start(second) == 1
    with open_record(postgres_url, "restarted") as record:
        assert record.finished() == {first.id: make_result(first.spec)}
        assert record.start(second) == 1


def test_the_password_may_lie_in_a_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{server.port}:{DATABASE}:{USER}:{server.password}\n")
    file.chmod(0o600)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", str(file))  # ~/.pgpass otherwise
    with open_record(server.url, "by file") as record:
        assert record.start(trial_of()) == 0


UNREACHABLE = {
    "no server": ("{user}:{password}@127.0.0.1:1/{database}", "onnection refused"),
    "no such user": ("nobody:{password}@127.0.0.1:{port}/{database}", "authentication failed"),
    "no such database": ("{user}@127.0.0.1:{port}/nowhere", 'database "nowhere" does not exist'),
    "no port": ("{user}:{password}@127.0.0.1:port/{database}", "it is not a URL of a database"),
    "an @ in the password": ("{user}:x@y:{password}@127.0.0.1/{database}", "it is not a URL of a database"),
    "a password among the options": ("{user}@127.0.0.1:1/{database}?password={password}", "onnection refused"),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_an_unreachable_record_is_one_sentence_without_the_password(
    case: str, server: Server, postgres_url: str
) -> None:
    address, reason = UNREACHABLE[case]
    known = {"user": USER, "database": DATABASE, "port": server.port, "password": PASSWORD}
    with pytest.raises(InputError) as caught:
        open_record("postgresql+psycopg://" + address.format(**known), "grid")
    (sentence,) = caught.value.problems
    assert sentence.startswith("record=postgresql+psycopg://")
    assert reason in sentence
    assert PASSWORD not in sentence
    assert server.password not in sentence
    assert "\n" not in sentence


def test_without_the_driver_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'tal-search\[postgres\]'"):
        open_record(f"postgresql+psycopg://{USER}@127.0.0.1:1/{DATABASE}", "grid")
