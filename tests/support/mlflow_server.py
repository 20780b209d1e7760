"""MLflow's own programs on a free port, killed at the end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.waiting import wait_for

QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def mlflow_server(folder: Path, program: str, database: str, port: int, *options: str) -> Iterator[str]:
    """`mlflow ui` or `mlflow server` on a database of a folder; its address. Killed with SIGKILL after the block."""
    store, log = f"sqlite:///{folder / database}", folder / f"{program}.log"
    command = [
        *(sys.executable, "-m", "mlflow", program, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", store, *options),
    ]
    with log.open("a") as stream:
        process = subprocess.Popen(command, env={**os.environ, **QUIET}, cwd=folder, stdout=stream, stderr=stream)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: process.poll() is not None or _answers(f"{address}/health"))
        assert process.poll() is None, log.read_text()
        yield address
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
