"""Passwords in the addresses of a record and of an MLflow server: a whole study writes and prints them nowhere."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tal_search.cli.main import main
from tests.support.mlflow_server import free_port, mlflow_server
from tests.support.postgres_server import DATABASE, Server, postgres_server
from tests.support.waiting import IMPORTABLE

PASSWORD = "xyz:zy7/#%[1]?x=2 "  # every sign that ends something in a URL, but for the @, see below
CODED = quote(PASSWORD, safe="")
SECRETS = ("xyz", "zy7")
TINY = [
    "study=quickstart", "~search.axes", "search.repeats.seeds=[0]", "backend=inline", "hyperparameters.epochs=1",
    "dataset.snippets=40", "dataset.simulation={train_videos: 6, test_videos: 6}",
]  # fmt: skip


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A server with a role of that password."""
    with postgres_server() as server:
        host = {"host": "127.0.0.1", "port": server.port, "user": "tal_search", "password": server.password}
        with closing(psycopg.connect(**host, dbname=DATABASE, autocommit=True)) as connection:
            connection.execute(f"CREATE ROLE me SUPERUSER LOGIN PASSWORD '{PASSWORD}'")  # type: ignore[arg-type]
        yield server


def test_a_study_stores_and_prints_no_password(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setattr("tal_search.tracking.background.CLOSE_SECONDS", 1.0)
    runs, port = tmp_path / "runs", free_port()
    record = f"postgresql+psycopg://me:{CODED}@127.0.0.1:{postgres.port}/{DATABASE}"
    with mlflow_server(tmp_path, "server", "server.db", port, "--artifacts-destination", str(tmp_path / "files")):
        address = f"http://me:{CODED}@127.0.0.1:{port}"
        assert main(["run", *TINY, f"runs={runs}", f"record={record}", f"tracking.uri={address}"]) == 0
    assert main(["run", *TINY, f"runs={runs}", f"record={record}", f"tracking.uri={address}"]) == 0  # MLflow is away
    said = "".join(capfd.readouterr())
    assert "MLflow" in said
    assert (runs / "quickstart" / "record.url").read_text() == record.replace(f":{CODED}", "")
    with closing(psycopg.connect(record.replace("+psycopg", ""))) as connection:
        values = connection.execute("SELECT value_json FROM study_user_attributes UNION ALL SELECT value_json FROM "
                                    "trial_user_attributes").fetchall()  # fmt: skip
    assert values
    with closing(sqlite3.connect(tmp_path / "server.db")) as connection:
        copied = "\n".join(connection.iterdump())
    assert "quickstart" in copied
    texts = {"printed": said, "record": json.dumps(values), "MLflow": copied}
    texts |= {str(path): path.read_bytes().decode("latin-1") for path in runs.rglob("*") if path.is_file()}
    assert [where for where, text in texts.items() if any(secret in text for secret in SECRETS)] == []


def test_no_process_of_a_command_shows_a_password(postgres: Server, tmp_path: Path) -> None:
    """`ps` of any account lists arguments; the program below prints those that the command has at its end."""
    code = (
        "import atexit, runpy, sys; atexit.register(lambda: print(open('/proc/self/cmdline').read(), sys.argv)); "
        "runpy.run_module('tal_search', run_name='__main__', alter_sys=True)"
    )
    record = f"record=postgresql+psycopg://me:{CODED}@127.0.0.1:{postgres.port}/{DATABASE}"
    command = [sys.executable, "-c", code, "run", *TINY, f"runs={tmp_path}", record, "--preview"]
    environment = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    ended = subprocess.run(
        command, env={**environment, "PYTHONPATH": IMPORTABLE}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert f"record=postgresql+psycopg://me@127.0.0.1:{postgres.port}" in ended.stdout
    assert not any(secret in ended.stdout + ended.stderr for secret in SECRETS)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("postgresql+psycopg://me:xyzzy7@127.0.0.1:{port}/postgres", "password authentication failed"),
        ("postgresql+psycopg://me:xyzzy7@nowhere.invalid/postgres", "cannot be opened"),
        ("postgresql+psycopg://me:xyz@zy7@127.0.0.1:{port}/postgres", "record has a password with signs that end"),
        ("postgresql+psycopg://me:{coded}@127.0.0.1:{port}/none?application_name=a@b", "does not exist"),
        ("postgresql+psycopg://me@127.0.0.1:{port}/postgres?password=xyzzy7&sslpassword=xyzzy7", "password auth"),
        ("postgresql+psycopg://me:xyzzy7@127.0.0.1:port/postgres", "is not a URL"),
        ("postgresql+nodriver://me:xyzzy7@127.0.0.1/postgres", "Can't load plugin"),
        ("['postgresql+psycopg://me:xyz,zy7@127.0.0.1/postgres']", "record is"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_opened_is_named_without_its_password(
    postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str, code: str
) -> None:
    url = record.replace("{port}", str(postgres.port)).replace("{coded}", CODED)
    assert main(["run", *TINY, f"runs={tmp_path}", f"record={url}", "tracking.mlflow=false"]) == 2
    said = "".join(capsys.readouterr())
    assert code in said
    assert not any(secret in said for secret in SECRETS)
    assert "Traceback" not in said
    assert not (tmp_path / "quickstart").exists()
