"""Imports of optional packages, and of Optuna without its warning."""

from __future__ import annotations

import warnings
from importlib import import_module

from tal_search.errors import require_packages


def require_dashboards() -> None:
    """Raises MissingExtra if Dash or Plotly is not installed."""
    require_packages("dash", "plotly", extra="dashboards")
    quiet_optuna()


def quiet_optuna() -> None:
    """Import Optuna without the warning of tqdm, in notebooks, that ipywidgets is missing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import_module("optuna")
