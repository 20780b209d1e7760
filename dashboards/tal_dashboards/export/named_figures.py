"""Figures of all views by name: "overview", or VIEW/FIGURE such as "plots/heat map", with VIEW as in the URL."""

from __future__ import annotations

from typing import TypeAlias

import plotly.graph_objects as go

from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.export.export import mark_simulated
from tal_dashboards.views import views
from tal_search.errors import InputError

Figure: TypeAlias = go.Figure


def named_figure(data: StudyData, name: str, selection: Selection) -> Figure:
    """A figure by name; a view's name alone means its only figure, or the one named like the view.

    selection: as in the page's URL. Raises InputError that lists the valid names if there is no such view or figure.
    """
    view, _, title = name.partition("/")
    known = views()
    if view not in known:
        raise InputError(f"no figure {name!r}: give overview or VIEW/FIGURE, VIEW one of {', '.join(known)}")
    drawn = _drawn(data, view, selection)
    wanted = title or (view if view in drawn or len(drawn) != 1 else next(iter(drawn)))
    if wanted not in drawn:
        names = ", ".join(f"{view}/{one}" for one in drawn) or "none yet"
        raise InputError(f"{data.name} has no figure {name!r}; figures of this view: {names}")
    return drawn[wanted]


def figure_names(data: StudyData) -> tuple[str, ...]:
    """The names that `named_figure` accepts for this study, in the order of the views."""
    names: list[str] = []
    for view in views():
        try:
            names += [f"{view}/{title}" for title in _drawn(data, view, {})]
        except InputError:  # a trial's file is missing
            continue
    return tuple(names)


def _drawn(data: StudyData, name: str, selection: Selection) -> dict[str, Figure]:
    view = views()[name]
    figures: dict[str, Figure] = view.figures(view.info(data, selection))
    for figure in figures.values() if data.label else ():
        mark_simulated(figure, data.label)
    return figures
