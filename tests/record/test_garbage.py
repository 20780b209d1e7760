"""Garbage: trial folders that no study refers to, and never anything else."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from tal_search.cli.commands import gc
from tal_search.errors import InputError, TalSearchError
from tal_search.record import garbage
from tal_search.record.garbage import remove, unreferenced
from tal_search.trial.folder import TrialFolder
from tests.support.postgres_server import Server
from tests.support.small_records import write_keys
from tests.support.small_trials import make_result, make_spec

KEYS = [make_spec(seed).key for seed in range(6)]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Six trial folders, seeds 0 to 5, of which the last is unfinished; no record refers to any."""
    for seed in range(6):
        spec = make_spec(seed)
        folder = TrialFolder.of(tmp_path / "runs", spec.key)
        folder.write_spec(spec)
        (folder.path / "lock").touch()
        if seed < 5:
            folder.write_result(make_result(spec))
    return tmp_path / "runs"


def names(found: list[garbage.Garbage]) -> set[str]:
    return {item.path.name for item in found}


def left(runs: Path) -> set[str]:
    return {path.name for path in (runs / "trials").iterdir()}


@pytest.fixture
def held(runs: Path) -> Iterator[str]:
    """The key of a folder in which a trial runs."""
    with (runs / "trials" / KEYS[4] / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield KEYS[4]


def test_trials_of_any_record_are_kept(runs: Path) -> None:
    write_keys(runs / "one" / "record.db", [KEYS[0]], "a", TrialState.COMPLETE)
    write_keys(runs / "one" / "record.db", [KEYS[1], KEYS[0]], "b: cells", TrialState.FAIL)
    write_keys(runs / "with space %20" / "record.db", [KEYS[2], "f" * 20])
    (runs / "no study").mkdir()
    found = unreferenced(runs)
    assert names(found) == set(KEYS[3:])
    assert names(remove(runs, found)) == set(KEYS[3:])
    assert left(runs) == set(KEYS[:3])
    assert TrialFolder.of(runs, KEYS[0]).result() == make_result(make_spec(0))


def test_a_folder_is_described(runs: Path) -> None:
    (runs / "trials" / KEYS[0] / "large").write_bytes(bytes(10**6))
    (runs / "trials" / KEYS[1] / "spec.json").write_text("{")
    by_key = {item.path.name: item for item in unreferenced(runs)}
    assert by_key[KEYS[0]].what == "backtal, annotator a, seed 0, finished"
    assert by_key[KEYS[1]].what == "without a readable spec.json, finished"
    assert by_key[KEYS[5]].what == "backtal, annotator a, seed 5, unfinished"
    assert by_key[KEYS[0]].bytes > 10**6 > by_key[KEYS[5]].bytes > 0
    assert not any(item.running for item in by_key.values())


def test_a_record_that_a_driver_is_writing_is_read_whole(runs: Path) -> None:
    """In WAL mode the newest trials are beside the database, in a file of their own."""
    where = runs / "one" / "record.db"
    write_keys(where, [])
    storage = RDBStorage(f"sqlite:///{where}")
    with storage.engine.connect() as reader:
        reader.exec_driver_sql("PRAGMA journal_mode=WAL")
        study = storage.get_study_id_from_name("s")
        storage.create_new_trial(study, create_trial(state=TrialState.RUNNING, user_attrs={"key": KEYS[0]}))
        assert where.with_name("record.db-wal").stat().st_size > 0
        assert names(unreferenced(runs)) == set(KEYS[1:])
    storage.remove_session()
    storage.engine.dispose()


def test_a_running_trial_keeps_its_folder_until_it_ends(runs: Path, held: str) -> None:
    found = unreferenced(runs)
    assert {item.path.name for item in found if item.running} == {held}
    shutil.rmtree(runs / "trials" / KEYS[0])  # someone else was faster
    assert names(remove(runs, found)) == set(KEYS) - {held, KEYS[0]}
    assert left(runs) == {held}
    assert TrialFolder.of(runs, held).result() is not None


def test_a_trial_recorded_after_the_listing_is_kept(runs: Path) -> None:
    found = unreferenced(runs)
    write_keys(runs / "late" / "record.db", [KEYS[2]])
    assert names(remove(runs, found)) == set(KEYS) - {KEYS[2]}
    assert left(runs) == {KEYS[2]}


def test_links_and_other_names_are_left_alone(runs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("1")
    trials = runs / "trials"
    (trials / ("a" * 20)).symlink_to(outside, target_is_directory=True)
    (trials / ("b" * 20)).write_text("a file")
    for name in ("A" * 20, "a" * 19, "a" * 21, "notes", ".hidden"):
        (trials / name).mkdir()
    (trials / KEYS[0] / "link").symlink_to(outside, target_is_directory=True)
    (trials / KEYS[1] / "lock").unlink()
    (trials / KEYS[1] / "lock").symlink_to(outside / "precious")
    others = left(runs) - set(KEYS)
    found = unreferenced(runs)
    assert names(found) == set(KEYS)
    assert names(remove(runs, found)) == set(KEYS) - {KEYS[1]}
    assert left(runs) == others | {KEYS[1]}
    assert (outside / "precious").read_text() == "1"


def test_only_trial_folders_of_this_runs_folder_are_removed(runs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / KEYS[0]
    elsewhere.mkdir()
    (item,) = [item for item in unreferenced(runs) if item.path.name == KEYS[0]]
    for path in (elsewhere, runs / "trials", runs, runs / "trials" / ".." / "trials" / KEYS[0]):
        assert remove(runs, [item._replace(path=path)]) == []
    assert elsewhere.is_dir()
    assert left(runs) == set(KEYS)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("record.db", "no database at all", "file is not a database"),
        ("record.db", "", "no such table"),
        ("record.url", "", "not a URL of a database"),
        ("record.url", "nonsense://u:swordfish@h/db", "not a URL of a database"),
        ("record.url", "postgresql+psycopg://u:swordfish@127.0.0.1:1/db", "refused"),
    ],
)
def test_nothing_is_removed_while_a_record_cannot_be_read(name: str, content: str, says: str, runs: Path) -> None:
    found = unreferenced(runs)
    write_keys(runs / "good" / "record.db", [KEYS[0]])
    (runs / "bad").mkdir()
    (runs / "bad" / name).write_text(content)
    command = ["--yes", f"runs={runs}"]
    for attempt in (lambda: unreferenced(runs), lambda: remove(runs, found), lambda: gc.command(command)):
        with pytest.raises(InputError) as caught:
            attempt()
        (problem,) = caught.value.problems
        assert says in problem
        assert problem.startswith(f"{runs / 'bad' / name}")
        assert "nothing is removed" in problem
        assert "swordfish" not in problem
        assert "\n" not in problem
    assert left(runs) == set(KEYS)


def test_every_unreadable_record_is_reported(runs: Path) -> None:
    for name in ("one", "two"):
        (runs / name).mkdir()
        (runs / name / "record.db").write_text("no database at all")
    with pytest.raises(InputError) as caught:
        unreferenced(runs)
    assert len(caught.value.problems) == 2


def test_a_record_on_postgresql(runs: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(runs / "file" / "record.db", [KEYS[0]])
    (runs / "server").mkdir()
    monkeypatch.setenv("PGPASSWORD", server.password)
    url = server.new_database()
    write_keys(url, [KEYS[1]], "a")
    write_keys(url, [KEYS[2]], "b", TrialState.PRUNED)
    (runs / "server" / "record.url").write_text(url + "\n")
    assert names(unreferenced(runs)) == set(KEYS[3:])
    with server.stopped(), pytest.raises(InputError, match="names postgresql"):
        unreferenced(runs)


def test_a_folder_that_cannot_be_removed_is_no_finished_trial(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing fails half-way, as on a file system with faults, which a test cannot make."""

    def fail(path: Path) -> None:
        raise OSError(16, "Device or resource busy", str(path))

    found = unreferenced(runs)
    monkeypatch.setattr(garbage.shutil, "rmtree", fail)
    with pytest.raises(TalSearchError, match=f"{found[0].path} cannot be removed .Device or resource busy."):
        remove(runs, found)
    assert TrialFolder(found[0].path).result() is None
    assert left(runs) == set(KEYS)


def test_the_command_lists_and_removes_only_when_told(
    runs: Path, held: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keys(runs / "one" / "record.db", [KEYS[0]])
    monkeypatch.chdir(runs.parent)
    assert gc.command([]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed[:-1]] == sorted(KEYS[1:])
    assert sum("kept, a process is using it" in line for line in listed) == 1
    assert listed[-1].startswith("4 folders, ")
    assert "add --yes" in listed[-1]
    assert left(runs) == set(KEYS)
    assert gc.command(["--yes", f"runs={runs}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Removed 4 folders, ")
    assert left(runs) == {KEYS[0], held}
    assert gc.command(["--yes", f"runs={runs}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Nothing to remove in {runs}."


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("now", "'now' is unknown; gc takes runs=, --yes"),
        ("yes", "'yes' is unknown; did you mean '--yes'?"),
        ("--force", "'--force' is unknown; gc takes runs=, --yes"),
        ("run=x", "run is unknown; did you mean 'runs'?"),
        ("runs=", "runs= has no value; give one, or leave it out"),
        ("runs", "'runs' is unknown; write runs=VALUE"),
    ],
)
def test_unknown_arguments(argument: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        gc.command([argument, "--yes"])
    assert raised.value.problems == (f"command line: {says}",)


def test_a_runs_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        gc.command([f"runs={tmp_path / 'absent'}"])
    assert unreferenced(tmp_path) == []
