"""The status command, and how it counts a study from its record alone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from tal_search.cli.main import main
from tal_search.errors import InputError
from tal_search.record.driver_lock import lock_study
from tal_search.record.overview import Overview, overview
from tal_search.record.record_reader import RecordReader
from tests.support.postgres_server import postgres_server
from tests.support.small_dashboards import Made


@pytest.fixture
def runs(swept: Made, tmp_path: Path) -> Path:
    """A copy of a finished study of three axes and two repeats, and its record alone."""
    folder = tmp_path / "runs" / swept.name
    folder.mkdir(parents=True)
    shutil.copy(swept.runs / swept.name / "record.db", folder)
    return tmp_path / "runs"


def hold(folder: Path, **holder: object) -> None:
    """What a driver writes into its lock; it is not locked by that."""
    (folder / "driver.lock").write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), **holder}))


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_study_is_counted_from_its_record_alone(runs: Path, swept: Made) -> None:
    record = runs / swept.name / "record.db"
    before = record.read_bytes()
    found = overview(runs / swept.name)
    assert found == Overview(swept.name, "finished", found.done, found.done, 0, 0, found.changed)
    assert found.done > 4
    assert found.changed is not None
    assert record.read_bytes() == before


def test_a_driver_that_lives_runs_it_and_a_killed_one_does_not(runs: Path, swept: Made) -> None:
    folder = runs / swept.name
    for holder, state in (({"pid": ended_process()}, "finished"), ({"host": "another", "pid": 1}, "running")):
        hold(folder, **holder)
        assert overview(folder).state == state, holder
    with lock_study(folder):
        assert overview(folder).state == "running"
        with pytest.raises(InputError, match="is running already"), lock_study(folder):
            pass
    assert overview(folder).state == "finished"
    for text in ("", "{", "[]", "{}"):
        (folder / "driver.lock").write_text(text)
        assert overview(folder).state == "finished", text


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="a table of locks is Linux's")
def test_a_process_that_was_given_a_killed_drivers_number_is_no_driver(runs: Path, swept: Made) -> None:
    hold(runs / swept.name)
    assert overview(runs / swept.name).state == "finished"


def test_without_a_table_of_locks_a_living_process_counts(
    runs: Path, swept: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_search.record.overview._locked_by", lambda path, pid: None)
    for holder, state in (({}, "running"), ({"pid": ended_process()}, "finished")):
        hold(runs / swept.name, **holder)
        assert overview(runs / swept.name).state == state


def test_looking_never_refuses_a_driver(runs: Path, swept: Made) -> None:
    """Nothing is locked, and no file is made beside the record, which is in SQLite's WAL mode."""
    folder = runs / swept.name
    with lock_study(folder):
        pass
    assert (folder / "record.db").read_bytes()[18] == 2, "WAL"
    before = sorted(folder.iterdir())
    assert overview(folder).state == "finished"
    assert sorted(folder.iterdir()) == before


def test_a_record_that_is_written_meanwhile_is_read_again(
    runs: Path, swept: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver opens the record between two reads: its file is read once more, beside the writer."""
    folder, modes = runs / swept.name, list[bool]()

    class Overtaken(RecordReader):
        def __init__(self, where: Path, *, still: bool, wanted: tuple[str, ...]) -> None:
            super().__init__(where, still=still, wanted=wanted)
            modes.append(still)
            os.utime(where / "record.db", ns=(len(modes), len(modes)))

    monkeypatch.setattr("tal_search.record.overview.RecordReader", Overtaken)
    assert overview(folder).done > 4
    assert modes == [True, False]


@pytest.mark.parametrize(
    ("statement", "state", "failed", "stopped"),
    [
        ("UPDATE trials SET state = 'FAIL' WHERE number = 0", "failed", 1, 0),
        ("UPDATE trials SET state = 'PRUNED' WHERE number < 2", "finished", 0, 2),
        ("UPDATE trials SET state = 'RUNNING' WHERE number = 1", "incomplete", 0, 0),
    ],
)
def test_what_did_not_end_well_is_counted(
    runs: Path, swept: Made, statement: str, state: str, failed: int, stopped: int
) -> None:
    whole = overview(runs / swept.name).done
    with sqlite3.connect(runs / swept.name / "record.db") as connection:
        count = connection.execute(statement).rowcount
    connection.close()
    found = overview(runs / swept.name)
    assert (found.state, found.failed, found.stopped, found.done) == (state, failed, stopped, whole - count)


def test_the_table_is_one_row_a_study_and_fits_a_terminal(
    runs: Path, swept: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(runs / swept.name, runs / "another[red]_study")  # its record holds no study of this name
    assert main(["status", f"runs={runs}", f"study={swept.name}"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    [row] = [line.split() for line in shown if line.split()[:1] == [swept.name]]
    done = overview(runs / swept.name).done
    assert row[1:5] == ["finished", f"{done}/{done}", "0", "0"]
    assert main(["status", f"runs={runs}"]) == 2
    shown, error = capsys.readouterr()
    assert swept.name in shown
    assert "another[red]_study: its record has no study named another[red]_study" in error


def test_without_a_study_it_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "No study was run in runs yet; start one: tal-search run study=quickstart\n"
    assert main(["status", "study=x"]) == 2
    assert "runs has no record of a study x; no study was run there yet" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_study_whose_record_is_on_postgresql_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s").mkdir()
    with postgres_server() as server:
        monkeypatch.setenv("PGPASSWORD", server.password)
        (tmp_path / "s" / "record.url").write_text(f"{server.url}\n")
        storage = RDBStorage(server.url)
        study = optuna.create_study(storage=storage, study_name="s")
        study.set_user_attr("about", {"trials": 3})
        for name, state in (("a", TrialState.FAIL), ("a", TrialState.RUNNING), ("b", TrialState.PRUNED)):
            study.add_trial(create_trial(state=state, user_attrs={"id": name}))
        storage.remove_session()
        storage.engine.dispose()
        found = overview(tmp_path / "s")
        assert found == Overview("s", "incomplete", 0, 3, 0, 1, found.changed)
    with pytest.raises(InputError, match="the record cannot be read"):
        overview(tmp_path / "s")


def test_a_long_name_still_fits_a_terminal(
    runs: Path, swept: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "a_study_with_a_name_" * 5
    (runs / swept.name).rename(runs / name)
    with sqlite3.connect(runs / name / "record.db") as connection:
        connection.execute("UPDATE studies SET study_name = ?", (name,))
    connection.close()
    assert main(["status", f"runs={runs}"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    assert any("finished" in line and line.split()[0] in name for line in shown)
