"""A real PostgreSQL for tests: on loopback, at a free port, with a password, removed afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.waiting import DEADLINE

USER, DATABASE = "tal_search", "postgres"


class Server:
    """It may be stopped and started again. URLs hold no password: PGPASSWORD must be `password`."""

    def __init__(self, programs: Path, folder: Path, account: dict[str, Any], password: str) -> None:
        self.password = password
        self._programs, self._folder, self._account = programs, folder, account
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"test_{self._databases}"
        host = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": self.password, "dbname": DATABASE}
        with closing(psycopg.connect(**host, autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url.removesuffix(DATABASE) + name

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Without the server during the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(self.port)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._account)
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + DEADLINE
        while subprocess.run(ready, cwd=self._folder).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"PostgreSQL did not start: {(self._folder / 'log').read_text()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End every connection and the server."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A started server. Skips where PostgreSQL is not installed, unless TAL_REQUIRE_POSTGRESQL=1."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="tal-postgres-"))  # pytest's own folders are closed to other users
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # which PostgreSQL refuses
        account = {"user": _other_user(), "extra_groups": []}
        shutil.chown(folder, account["user"])
    server = Server(programs, folder, account, secrets.token_hex(8))
    try:
        (folder / "password").write_text(server.password)
        subprocess.run(
            [
                *(str(programs / "initdb"), "-D", str(folder / "data"), "-U", USER, "--auth=scram-sha-256"),
                *("--pwfile", str(folder / "password"), "--locale=C", "--encoding=UTF8", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **account,
        )
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of the newest version's programs."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    elsewhere = shutil.which("initdb")
    if folders or elsewhere:
        return folders[-1] if folders else Path(str(elsewhere)).resolve().parent
    reason = "needs PostgreSQL (Debian's package postgresql)"
    if os.environ.get("TAL_REQUIRE_POSTGRESQL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _other_user() -> str:
    users = {line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}
    return "postgres" if "postgres" in users else "nobody"
