"""Imports of optional and of noisy packages."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec

from tal_search.errors import MissingExtra


def require_dashboards() -> None:
    """Raises MissingExtra where Dash or Plotly is not installed."""
    for package in ("dash", "plotly"):
        if find_spec(package) is None:
            raise MissingExtra(package, "dashboards")
    quiet_optuna()


def quiet_optuna() -> None:
    """Import Optuna without tqdm's warning, in every notebook, that it would draw bars with ipywidgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import_module("optuna")
