"""Parts of a page that the views share: text alone comes from data, and every choice is kept in the URL.

A control made by `chosen` carries a name of the selection: the app writes its value into the URL and gives it back on
the next visit. Callbacks of a view take it as `Input(name_of("plots-axis"), "value")`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from dash import dcc, html

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.style import GRAPH, shown

TALL = 640  # pixels from which a figure is printed on an upright page
SHOWN_ROWS = 100  # of a table on the page; files have all


def name_of(name: str) -> dict[str, str]:
    """The id of the control that chooses `name` of the selection."""
    return {"type": "selection", "name": name}


def chosen(label: str, control: Any) -> html.Label:
    """A control under its label; its id is a `name_of`."""
    return html.Label([html.Span(label), control], className="chosen")


def select(name: str, label: str, options: Mapping[str, str], value: str) -> html.Label:
    """A choice of one: words by value."""
    items = [{"label": words, "value": key} for key, words in options.items()]
    picked = value if value in options else next(iter(options), None)
    return chosen(label, dcc.Dropdown(items, picked, id=name_of(name), clearable=False))


def graph(name: str | dict[str, str], figure: go.Figure, words: str) -> html.Figure:
    """A figure with the sentence that says what it shows; name: its id."""
    height = {"height": f"{figure.layout.height}px"}  # in a grid a figure has no height of its own
    content = [dcc.Graph(figure=figure, id=name, config=GRAPH, style=height), html.Figcaption(words)]
    return html.Figure(content, className="tall" if figure.layout.height > TALL else "")


def table(
    frame: pd.DataFrame, caption: str, name: str, *, bold: pd.Series[bool] | None = None, opens: Sequence[str] = ()
) -> html.Div:
    """A table of numbers or text, its first SHOWN_ROWS rows; name: its id; bold: rows that stand out.

    opens: queries of this page that the first cells of the rows lead to.
    """
    text, links = shown(frame.head(SHOWN_ROWS).drop(columns="mlflow", errors="ignore")), frame.get("mlflow")
    heads = [str(column) for column in text.columns]
    numeric = [_is_number(frame, head) for head in heads]
    rows = []
    for place, cells in enumerate(text.itertuples(index=False)):
        first = dcc.Link(cells[0], href=opens[place]) if opens else cells[0]
        items = [cell(one, at == 0, numeric[at]) for at, one in enumerate((first, *cells[1:]))]
        if links is not None:
            url = links.iloc[place]
            items.append(html.Td(outside("run", url) if url else ""))
        rows.append(html.Tr(items, className="marked" if bold is not None and bool(bold.iloc[place]) else ""))
    if links is not None:
        heads.append("MLflow")
        numeric.append(False)
    more = f" The first {SHOWN_ROWS} of {len(frame)} rows; the exported CSV has all." if len(frame) > SHOWN_ROWS else ""
    head = html.Thead(html.Tr([_head(one, right) for one, right in zip(heads, numeric, strict=True)]))
    content = html.Table([html.Caption(caption + more), head, html.Tbody(rows)])
    # A table wider than the page is scrolled within its box, which the keyboard must reach.
    return html.Div(content, className="table", tabIndex="0", role="region", id=name, **labelled(caption))


def tiles(name: str, progress: pd.DataFrame, seconds_left: float | None) -> html.Div:
    """Trials by state, and the time left; name: its id."""
    shown = [(str(count), state) for state, count in progress.itertuples(index=False)]
    if seconds_left is not None:
        shown.append((f"{seconds_left / 60:.0f} min", "left, at the pace of the latest trials"))
    content: list[Any] = [html.Div([html.Strong(one), html.Span(words)], className="tile") for one, words in shown]
    return html.Div(content, className="tiles", id=name)


def outside(words: str, url: str) -> html.A:
    """A link to another program's page, in a tab of its own."""
    return html.A(words, href=url, target="_blank", rel="noopener noreferrer")


def announced() -> Any:
    """The settings of a component whose new text assistive technology reads out."""
    return {"aria-live": "polite"}


def labelled(words: str) -> Any:
    """The settings of a component that assistive technology calls by these words."""
    return {"aria-label": words}


def _head(text: str, number: bool) -> html.Th:
    return html.Th(text, scope="col", className="number" if number else "")


def cell(content: Any, first: bool, number: bool) -> html.Td | html.Th:
    """A cell of a table's body; first: it names its row."""
    name = "number" if number else ""
    return html.Th(content, scope="row", className=name) if first else html.Td(content, className=name)


def _is_number(frame: pd.DataFrame, column: str) -> bool:
    return pd.api.types.is_numeric_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column])


def empty(what: str, command: str) -> html.Div:
    """What stands where there is nothing to show, and the command that makes it."""
    return html.Div([html.P(what), html.Pre(html.Code(command), tabIndex="0")], className="empty")


def heading(data: StudyData) -> html.Header:
    """The study in words; simulated data is never mistaken for video."""
    badge = [html.Strong("simulated data", className="badge")] if data.simulated else []
    words = [html.P(data.description), html.P(data.words, className="quiet")]
    return html.Header([html.H1([data.name, " ", *badge]), *words])


def opener(name: str, key: str) -> html.Button:
    """What opens a fit beside a view that is about it; name: in words."""
    return html.Button(f"Details of {name}", id={"type": "opens", "key": key}, className="opens", type="button")
