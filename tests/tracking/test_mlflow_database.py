"""MLflow's database is whole after a kill at any moment, and its files are found where the runs folder is now."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tal_search.errors import TalSearchError
from tal_search.files.sqlite_files import sqlite_url
from tal_search.tracking.mlflow_client import import_mlflow
from tal_search.tracking.mlflow_database import open_database
from tests.support.half_made import stopped
from tests.support.mlflow_contents import empty_database

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Statements of about 1200 after which a process is killed, and how many files are then set aside: none after 100, as
# MLflow's migrations go on from what those have made, and no run is in it.
STATEMENTS = {30: 1, 100: 0, 1000: 1}
PROCESSES = 3


def quiet(sentence: str) -> None:
    raise AssertionError(sentence)


def version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def add_run(client: MlflowClient, folder: Path, name: str = "grid") -> str:
    """A run with a file; returns its id."""
    known = client.get_experiment_by_name(name)
    place = (folder / "mlartifacts").as_uri()
    experiment = known.experiment_id if known else client.create_experiment(name, artifact_location=place)
    run: str = client.create_run(experiment).info.run_id
    client.log_text(run, "held", "a file.txt")
    return run


@pytest.mark.parametrize(("statements", "set_aside"), STATEMENTS.items())
def test_a_database_left_half_made_is_made_again(statements: int, set_aside: int, tmp_path: Path) -> None:
    import_mlflow()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path, said = tmp_path / "mlflow.db", list[str]()
    assert stopped(partial(SqlAlchemyStore, sqlite_url(path), tmp_path.as_uri()), statements)
    client = open_database(path, said.append)
    add_run(client, tmp_path)
    assert len(said) == len(list(tmp_path.glob("mlflow.db.half-made*"))) == set_aside
    assert len(list(tmp_path.glob("mlflow.db.*"))) == set_aside
    assert all(f"{path} was not whole" in sentence and "mlflow.db.half-made" in sentence for sentence in said)
    open_database(path, quiet)


def write_older(path: Path) -> None:
    """A database of MLflow 1.12 with a run."""
    import_mlflow()
    import mlflow.store
    from alembic import command
    from alembic.config import Config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    engine = create_engine(sqlite_url(path))
    Base.metadata.create_all(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(mlflow.store.__path__[0], "db_migrations")))
    config.set_main_option("sqlalchemy.url", sqlite_url(path))
    command.upgrade(config, "cc1f77228345")  # of MLflow 1.12
    with engine.begin() as connection:
        for number, name in enumerate(["Default", "old"]):
            values = f"({number}, '{name}', 'file:///old/{number}', 'active')"
            columns = "experiment_id, name, artifact_location, lifecycle_stage"
            connection.exec_driver_sql(f"INSERT INTO experiments ({columns}) VALUES {values}")
        columns = (
            "run_uuid, name, experiment_id, user_id, status, start_time, lifecycle_stage, source_type, artifact_uri"
        )
        values = f"('{'a' * 32}', 'one', 1, 'me', 'FINISHED', 0, 'active', 'LOCAL', 'file:///old/1')"
        connection.exec_driver_sql(f"INSERT INTO runs ({columns}) VALUES {values}")
    engine.dispose()


def test_an_older_database_is_brought_up_to_date_and_kept(tmp_path: Path) -> None:
    path, said = tmp_path / "mlflow.db", list[str]()
    write_older(path)
    client = open_database(path, said.append)
    assert client.get_run("a" * 32).info.status == "FINISHED"
    assert version(path) != version(tmp_path / "mlflow.db.older") == "cc1f77228345"
    assert said == [
        f"{path} was made by an older MLflow and is brought up to date; the old file is kept as mlflow.db.older; "
        "a program that has it open (`mlflow ui`) goes on with the old file until it is started again"
    ]


def test_an_older_database_with_runs_that_cannot_be_upgraded_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    write_older(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE datasets (taken TEXT)")  # which a migration creates
    before = path.read_bytes()
    with pytest.raises(
        TalSearchError, match=r"holds runs and cannot be brought up to date \(.*datasets already exists"
    ):
        open_database(path, quiet)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("mlflow.db?*"))


@pytest.mark.parametrize("age", ["older", "of today"])
def test_a_locked_database_is_named_and_left_alone(age: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mlflow.db"
    if age == "older":
        write_older(path)
    else:
        path.write_bytes(empty_database())
    monkeypatch.setattr("tal_search.tracking.mlflow_database.BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TalSearchError, match=r"mlflow\.db is locked by another program; stop that program"):
            open_database(path, quiet)
    assert not list(tmp_path.glob("mlflow.db.*"))


def test_a_newer_or_foreign_database_is_left_alone(tmp_path: Path) -> None:
    newer, foreign = tmp_path / "newer.db", tmp_path / "foreign.db"
    newer.write_bytes(empty_database())
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(TalSearchError, match=r"newer\.db is of a newer MLflow \(revision ffffffffffff\); install"):
        open_database(newer, quiet)
    assert version(newer) == "ffffffffffff"
    foreign.write_text("not a database " * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        open_database(foreign, quiet)
    assert foreign.read_text() == "not a database " * 100


def test_a_truncated_database_is_made_anew_and_kept(tmp_path: Path) -> None:
    path, said = tmp_path / "mlflow.db", list[str]()
    path.write_bytes(empty_database()[:8192])
    open_database(path, said.append).search_experiments()
    assert (tmp_path / "mlflow.db.half-made").stat().st_size == 8192
    assert len(said) == 1


def open_and_add(path: Path, number: int) -> None:
    open_database(path, quiet).create_experiment(f"{number}")


def test_processes_that_make_it_at_once_lose_nothing(tmp_path: Path) -> None:
    import_mlflow()
    path, context = tmp_path / "mlflow.db", multiprocessing.get_context("fork")
    processes = [context.Process(target=open_and_add, args=(path, number)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    names = {experiment.name for experiment in open_database(path, quiet).search_experiments()}
    assert names == {"Default", *map(str, range(PROCESSES))}


@pytest.mark.parametrize("old", ["gone", "a file", "forbidden", "still there"])
def test_files_are_found_where_the_folder_is_now(old: str, tmp_path: Path) -> None:
    before, now = tmp_path / "what?now 100%20", tmp_path / "a#b & 'c' é"
    before.mkdir()
    (before / "mlflow.db").write_bytes(empty_database())
    run = add_run(open_database(before / "mlflow.db", quiet), before)
    shutil.copytree(before, now)
    if old != "still there":
        shutil.rmtree(before)
    if old == "a file":
        before.touch()
    elif old == "forbidden":
        before.mkdir(mode=0)
    seen = sorted(before.rglob("*")) if old == "still there" else []
    client = open_database(now / "mlflow.db", quiet)
    for name in (run, add_run(client, now)):
        assert client.get_run(name).info.artifact_uri == (now / "mlartifacts" / name / "artifacts").as_uri()
        assert Path(client.download_artifacts(name, "a file.txt", str(tmp_path))).read_text() == "held"
        assert (now / "mlartifacts" / name / "artifacts" / "a file.txt").exists()
    assert {
        experiment.artifact_location for experiment in client.search_experiments(filter_string="name = 'grid'")
    } == {(now / "mlartifacts").as_uri()}
    if old == "still there":
        assert sorted(before.rglob("*")) == seen
    assert {found.name for found in tmp_path.iterdir()} <= {before.name, now.name, "a file.txt"}


def test_files_that_a_study_keeps_elsewhere_stay_there(tmp_path: Path) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "disk"
    runs.mkdir()
    (runs / "mlflow.db").write_bytes(empty_database())
    run = add_run(open_database(runs / "mlflow.db", quiet), elsewhere)
    client = open_database(runs / "mlflow.db", quiet)
    assert client.get_run(run).info.artifact_uri == (elsewhere / "mlartifacts" / run / "artifacts").as_uri()
    assert Path(client.download_artifacts(run, "a file.txt", str(tmp_path))).read_text() == "held"
    empty = client.create_experiment("empty", artifact_location="file:///later/mlartifacts")
    client = open_database(runs / "mlflow.db", quiet, "file:///later/mlartifacts")
    assert client.get_experiment(empty).artifact_location == "file:///later/mlartifacts"
