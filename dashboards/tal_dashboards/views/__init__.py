"""The views of a study: one module each, with the functions of `View`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import pandas as pd
import plotly.graph_objects as go
from dash import Dash
from dash.development.base_component import Component

from tal_dashboards.data.study_data import Selection, StudyData

VIEWS = (
    "overview",
    "study",
    "tables",
    "plots",
    "breakdown",
    "playground",
    "cost",
    "modules",
    "errors",
    "timeline",
)  # in the order of the tabs; a view's name in the URL


class View(Protocol):
    """What a view's module defines."""

    @property
    def TITLE(self) -> str:
        """The words on its tab."""

    def info(self, data: StudyData, selection: Selection) -> object:
        """The numbers that the view shows: a NamedTuple, or None if there are none yet."""

    def figures(self, info: object) -> dict[str, go.Figure]:
        """Figures of `info` by name."""

    def tables(self, info: object) -> dict[str, pd.DataFrame]:
        """Tables of `info` by name."""

    def layout(self, data: StudyData, selection: Selection) -> Component:
        """The page; ids of its components begin with the view's name and a hyphen."""

    def register(self, app: Dash, open_study: Callable[[], StudyData]) -> None:
        """Add the view's callbacks to the app."""


def views() -> dict[str, View]:
    """The module of every view by its name."""
    return {name: import_module(f"tal_dashboards.views.{name}") for name in VIEWS}
