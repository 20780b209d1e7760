"""MLflow's client. MLflow is imported when a client is first needed, with its telemetry, retries and messages off."""

from __future__ import annotations

import logging
import os
import warnings
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tal_search.errors import MissingExtra
from tal_search.text.urls import web_link

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the background thread retries, with its own pauses
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # after each run, with the server's user and password
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


_replaced: dict[str, str | None] = {}  # variables set here, with the values that they had


def mlflow_client(uri: str) -> MlflowClient:
    """A client of a tracking server or of an existing database."""
    import_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(_signed_in(uri))


def _signed_in(uri: str) -> str:
    """The URI without user and password, which MLflow takes from the environment: its messages quote the URI.

    Those of the server opened before are removed from it, or replaced by those that were there.
    """
    for variable, before in _replaced.items():
        os.environ.pop(variable, None)
        os.environ.update({} if before is None else {variable: before})
    _replaced.clear()
    page = web_link(uri)
    if not page:
        return uri
    user, password = urlsplit(uri).username, urlsplit(uri).password
    for variable, value in {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}.items():
        if value:
            _replaced[variable] = os.environ.get(variable)
            os.environ[variable] = unquote(value)
    return page
