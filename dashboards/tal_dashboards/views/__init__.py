"""One file a view: pure tables of numbers, pure figures of them, and the page that shows both.

A view NAME has TITLE; `info(data, selection)`, a NamedTuple of numbers; `figures(info)` and `tables(info)`, by name;
`layout(data, selection)`, a component of Dash whose ids begin with "NAME-"; `register(app, open_study)`, its callbacks.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

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


def views() -> dict[str, Any]:
    """Every view's module by its name."""
    return {name: import_module(f"tal_dashboards.views.{name}") for name in VIEWS}
