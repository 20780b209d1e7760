"""MLflow's client. MLflow is imported when a client is first needed, with its telemetry, retries and messages off."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import warnings
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.errors import MissingExtra

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the background thread retries, with its own pauses
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # it would break into the study's own lines
}


@cache
def import_mlflow() -> None:
    """Import MLflow, in the main thread: its import changes warning filters. Raises MissingExtra if it is missing."""
    for name, value in SETTINGS.items():  # MLflow reads some of them when it is imported
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Else MLflow imports this later, in the thread: its import warns, and stays broken if warnings are errors.
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    except ImportError as error:
        raise MissingExtra("mlflow", "tracking") from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # failed calls are retried, and reported at the end


def mlflow_client(uri: str) -> MlflowClient:
    """A client of a tracking server or of an existing database."""
    import_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(uri)


def database_client(database: Path) -> MlflowClient:
    """A client of an SQLite database, created or upgraded by one process at a time: MLflow's creation has a race."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(".mlflow.lock").open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # MLflow's UI reads while a study writes
        return mlflow_client(f"sqlite:///{database}")
