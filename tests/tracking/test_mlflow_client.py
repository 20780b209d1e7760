"""MLflow is imported late, with its settings in place; importing the tracker has no side effect."""

from __future__ import annotations

import subprocess
import sys

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
