"""Components shared by the views: controls, figures, tables, tiles and headings; data only ever becomes text.

A control whose id is a `name_of` belongs to the selection: the app writes its value into the URL and restores it on the
next visit. Callbacks of a view take it as `Input(name_of("plots-axis"), "value")`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pandas as pd
import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.style import GRAPH, shown
from tal_search.text.urls import web_link

TALL = 640  # pixels; figures higher than this are printed on a page in portrait
SHOWN_ROWS = 100  # of a table on the page; the exported CSV has all

Announced = TypedDict("Announced", {"aria-live": str})
Labelled = TypedDict("Labelled", {"aria-label": str})


def name_of(name: str) -> dict[str, str]:
    """The id of the control for `name` of the selection."""
    return {"type": "selection", "name": name}


def chosen(label: str, control: Component) -> html.Label:
    """A control with its label; the control's id is a `name_of`."""
    return html.Label([html.Span(label), control], className="chosen")


def select(name: str, label: str, options: Mapping[str, str], value: str) -> html.Label:
    """A dropdown for one of the options, given as label by value; the first where `value` is none of them."""
    items = [{"label": words, "value": key} for key, words in options.items()]
    picked = value if value in options else next(iter(options), None)
    return chosen(label, dcc.Dropdown(items, picked, id=name_of(name), clearable=False))


def graph(name: str | dict[str, str], figure: go.Figure, words: str) -> html.Figure:
    """A figure with the caption `words`; name: its id."""
    height = {"height": f"{figure.layout.height}px"}  # in a CSS grid the figure would have no height
    content = [dcc.Graph(figure=figure, id=name, config=GRAPH, style=height), html.Figcaption(words)]
    return html.Figure(content, className="tall" if figure.layout.height > TALL else "")


def table(
    frame: pd.DataFrame, caption: str, name: str, *, bold: pd.Series[bool] | None = None, opens: Sequence[str] = ()
) -> html.Div:
    """The first SHOWN_ROWS rows of a table; name: its id; bold: rows to highlight.

    opens: for each row, the query of this page that its first cell links to.
    """
    text, links = shown(frame.head(SHOWN_ROWS).drop(columns="mlflow", errors="ignore")), frame.get("mlflow")
    heads = [str(column) for column in text.columns]
    numeric = [_is_number(frame, head) for head in heads]
    rows = []
    for at, cells in enumerate(text.itertuples(index=False)):
        first = dcc.Link(cells[0], href=opens[at]) if opens else cells[0]
        items = [cell(content, column == 0, numeric[column]) for column, content in enumerate((first, *cells[1:]))]
        if links is not None:
            url = links.iloc[at]
            items.append(html.Td(outside("run", url) if url else ""))
        rows.append(html.Tr(items, className="marked" if bold is not None and bool(bold.iloc[at]) else ""))
    if links is not None:
        heads.append("MLflow")
        numeric.append(False)
    more = f" The first {SHOWN_ROWS} of {len(frame)} rows; the exported CSV has all." if len(frame) > SHOWN_ROWS else ""
    head = html.Thead(html.Tr([_head(words, right) for words, right in zip(heads, numeric, strict=True)]))
    content = html.Table([html.Caption(caption + more), head, html.Tbody(rows)])
    # A table wider than the page scrolls in this box, so the box must be focusable by keyboard.
    return html.Div(content, className="table", tabIndex="0", role="region", id=name, **labelled(caption))


def tiles(name: str, progress: pd.DataFrame, seconds_left: float | None) -> html.Div:
    """Numbers of trials by state, and the remaining time; name: its id."""
    shown = [(str(count), state) for state, count in progress.itertuples(index=False)]
    if seconds_left is not None:
        shown.append((f"{seconds_left / 60:.0f} min", "left, at the pace of the latest trials"))
    content = [html.Div([html.Strong(value), html.Span(words)], className="tile") for value, words in shown]
    return html.Div(content, className="tiles", id=name)


def outside(words: str, url: str) -> html.A | html.Span:
    """A link to another site, opened in a new tab; only its words where the URL is not the address of a web page."""
    page = web_link(url)
    if not page:
        return html.Span(words)
    return html.A(words, href=page, target="_blank", rel="noopener noreferrer")


def announced() -> Announced:
    """Keyword arguments of a component whose changes screen readers announce."""
    return {"aria-live": "polite"}


def labelled(words: str) -> Labelled:
    """Keyword arguments of a component with this accessible name."""
    return {"aria-label": words}


def _head(text: str, number: bool) -> html.Th:
    return html.Th(text, scope="col", className="number" if number else "")


def cell(content: str | Component, first: bool, number: bool) -> html.Td | html.Th:
    """A cell of a table's body; first: it is the row's header; number: it is aligned to the right."""
    name = "number" if number else ""
    return html.Th(content, scope="row", className=name) if first else html.Td(content, className=name)


def _is_number(frame: pd.DataFrame, column: str) -> bool:
    return pd.api.types.is_numeric_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column])


def empty(words: str, command: str) -> html.Div:
    """A notice that there is nothing to show, with the command that produces it."""
    return html.Div([html.P(words), html.Pre(html.Code(command), tabIndex="0")], className="empty")


def heading(data: StudyData) -> html.Header:
    """Name, description and data of a study; a badge says what is simulated, so that nobody takes it for real."""
    badge = [html.Strong(data.label, className="badge")] if data.label else []
    words = [html.P(data.description), html.P(data.words, className="quiet")]
    return html.Header([html.H1([data.name, " ", *badge]), *words, *damage(data)])


def damage(data: StudyData) -> list[html.P]:
    """A sentence for each damaged file that the views of a study have met."""
    return [html.P(f"{sentence}.", role="alert") for sentence in data.damage]


def opener(name: str, key: str) -> html.Button:
    """The button that opens a fit in the side panel; name: the fit in words."""
    return html.Button(f"Details of {name}", id={"type": "opens", "key": key}, className="opens", type="button")
