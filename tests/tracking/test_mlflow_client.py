"""MLflow is imported late, with its settings in place; importing the tracker has no side effect."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tal_search.tracking.mlflow_client import mlflow_client

PROGRAM = """
import os, sys
before = dict(os.environ)
import tal_search.tracking.mlflow_tracker
from tal_search.errors import MissingExtra
from tal_search.tracking.mlflow_client import SETTINGS, import_mlflow
assert dict(os.environ) == before
assert "mlflow" not in sys.modules
sys.modules["mlflow"] = None
try:
    import_mlflow()
except MissingExtra as error:
    print(error)
assert dict(os.environ) == {**SETTINGS, **before}
"""


def test_only_a_first_client_changes_the_environment_and_needs_mlflow() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "mlflow is not installed; run: pip install 'tal-search[tracking]'\n"


def test_a_server_gets_user_and_password_and_no_message_quotes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.headers["Authorization"])
            self.send_error(403)

        def log_message(self, format: str, *args: object) -> None:
            pass

    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "another")  # restored after the test
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        client = mlflow_client(f"http://me:p%40ss@127.0.0.1:{server.server_port}")
        with pytest.raises(Exception, match="403") as caught:
            client.search_experiments()
        server.shutdown()
    assert {b64decode(one.removeprefix("Basic ")) for one in heard} == {b"me:p@ss"}
    assert "p%40ss" not in f"{caught.value!r} {caught.value} {client.tracking_uri}"
    mlflow_client("http://127.0.0.1:9")
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "another", "no other server gets the password"
