"""Tables that the server searches, sorts and pages, so that a hundred thousand trials are as quick as a hundred."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import flask
import pandas as pd
from dash import Input, Output, State, ctx, dcc, html

from tal_dashboards.app import components
from tal_dashboards.app.components import name_of
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_search.errors import InputError

PAGE = 50  # rows: Dash takes the browser about 2 ms of the processor for a cell
PAUSE = 0.15  # seconds without a keystroke after which the text is looked for
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:/\d+)?)")


class Grid(NamedTuple):
    """A table with more rows than a page draws.

    hint: an example of what to look for. frame: every row, in the order that nobody chose; its columns are those of
    a CSV file. heads: the columns that are shown, each with the words above it. text: see `matching`, asked for when
    something is looked for. draw: the rows of a page as components, their cells in the order of `heads`.
    """

    caption: str
    hint: str
    frame: pd.DataFrame
    heads: dict[str, str]
    text: Callable[[], pd.DataFrame]
    draw: Callable[[pd.DataFrame], list[html.Tr]]


def searchable(text: str) -> str:
    """Text in which rows are looked for: small letters, "h = 1, seed 2" as "h=1 seed=2"."""
    plain = re.sub(r"\s*=\s*", "=", text.lower().replace(",", " "))
    return re.sub(r"\bseed\s+(?=\d)", "seed=", plain)


def matching(text: pd.DataFrame, sought: str) -> pd.Series[bool]:
    """Rows that have every word of `sought`: of "h=1" the whole word, so that it does not find h = 11; a word of one or
    two letters at the start of theirs; any other one anywhere.

    text: `searchable`, with a space at both ends: `words` of a row, and `values`, "NAME=VALUE" of all it has.
    """
    kept = pd.Series(True, index=text.index)
    for word in searchable(sought).split():
        if "=" in word:
            kept &= text["values"].str.contains(f" {word} ", regex=False)
        else:
            kept &= text["words"].str.contains(word if len(word) > 2 else f" {word}", regex=False)
    return kept


def found(grid: Grid, sought: str, order: str) -> pd.DataFrame:
    """The rows that are looked for, by the column named `order`, or by it from the greatest on if named "-COLUMN".

    Rows without a value come last. Of a column that does not exist, in the order of the frame.
    """
    rows = grid.frame[matching(grid.text(), sought)] if sought.strip() else grid.frame
    column = order.removeprefix("-")
    if column not in grid.heads:
        return rows
    return rows.sort_values(column, ascending=order == column, kind="stable", key=_sortable)


def _sortable(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as they are; else by place, numbers before text, and numbers within text by their size."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    codes, values = pd.factorize(column)
    places = sorted(range(len(values)), key=lambda place: _natural(values[place]))
    rank = pd.Series(range(len(places)), index=places, dtype=float)
    return pd.Series(rank.reindex(codes).to_numpy(), index=column.index)


def _natural(value: Any) -> tuple[bool, Any]:
    if not isinstance(value, str):
        return False, value
    parts = NUMBER.split(value)
    return True, [_float(*part.split("/")) if place % 2 else part for place, part in enumerate(parts)]


def _float(over: str, under: str = "1") -> float:
    return float(over) / (float(under) or 1.0)


def layout(name: str, grid: Grid, selection: Selection) -> html.Div:
    """The controls and the part of the page that they redraw; name: its id, with which the selection's names begin."""
    sought = dcc.Input(
        type="search", id=name_of(f"{name}-find"), value=selection.get(f"{name}-find", ""), debounce=PAUSE,
        placeholder=grid.hint, autoComplete="off", spellCheck=False,
    )  # fmt: skip
    hidden = [
        dcc.Input(type="hidden", id=name_of(f"{name}-{one}"), value=selection.get(f"{name}-{one}", ""))
        for one in ("sort", "page")
    ]
    controls = html.Div([components.chosen("Find", sought), *hidden], className="finder")
    return html.Div([controls, html.Div(part(name, grid, selection), id=name)], className="grid")


def part(name: str, grid: Grid, selection: Selection) -> list[Any]:
    """How many rows there are, the table, and the buttons that turn its pages."""
    sought, order = (selection.get(f"{name}-{one}", "") for one in ("find", "sort"))
    rows = found(grid, sought, order)
    pages = max(1, -(-len(rows) // PAGE))
    chosen = selection.get(f"{name}-page", "")
    page = min(int(chosen), pages) if chosen.isdecimal() and int(chosen) else 1
    head = html.Thead(html.Tr([_head(name, grid, column, order) for column in grid.heads]))
    body = html.Tbody(grid.draw(rows.iloc[PAGE * (page - 1) : PAGE * page]))
    table = html.Table([html.Caption(grid.caption), head, body])
    box = html.Div(table, className="table", tabIndex="0", role="region", **components.labelled(grid.caption))
    return [_count(name, len(rows), len(grid.frame), sought, order), box, *_pager(name, page, pages)]


def _count(name: str, rows: int, whole: int, sought: str, order: str) -> html.P:
    words = f"{rows:,} of {whole:,} rows" if rows < whole else f"{whole:,} rows" if whole != 1 else "1 row"
    href = f"{name}.csv?{urlencode({'find': sought, 'sort': order})}"
    link = html.A(
        "CSV", href=href, download=f"{name}.csv", className="press", **components.labelled("These rows as CSV")
    )
    return html.P([html.Span(words, **components.announced()), " ", link], className="quiet count")


def _head(name: str, grid: Grid, column: str, order: str) -> html.Th:
    """A button that sorts: first from the greatest number or the first letter on, then the other way, then not."""
    numeric = pd.api.types.is_numeric_dtype(grid.frame[column])
    cycle = [f"-{column}", column, ""] if numeric else [column, f"-{column}", ""]
    following = cycle[(cycle.index(order) + 1) % 3] if order in cycle else cycle[0]
    sorted_by = {column: "ascending", f"-{column}": "descending"}.get(order)
    settings: Any = {"aria-sort": sorted_by} if sorted_by else {}
    button = html.Button(grid.heads[column], **_choosing(f"{name}-sort", following))
    return html.Th(button, scope="col", className="number" if numeric else "", **settings)


def _choosing(name: str, value: str) -> Any:
    """The settings of a button that chooses this value of the selection, see tables.js."""
    return {"data-chooses": name, "value": value}


def _pager(name: str, page: int, pages: int) -> list[Any]:
    if pages == 1:
        return []
    targets = {"First": 1, "Previous": page - 1, "Next": page + 1, "Last": pages}
    buttons = [
        html.Button(
            words, disabled=target in (0, page, pages + 1), className="press", **_choosing(f"{name}-page", str(target))
        )
        for words, target in targets.items()
    ]
    where = html.Span(f"page {page:,} of {pages:,}", **components.announced())
    return [
        html.Div([*buttons[:2], where, *buttons[2:]], className="pager", role="group", **components.labelled("Pages"))
    ]


def register(
    app: Any, name: str, make: Callable[[StudyData, Selection], Grid], open_study: Callable[[], StudyData], *others: str
) -> None:
    """The callback that redraws a grid, and its CSV file. others: further names of the selection its rows depend on."""
    own = [f"{name}-{one}" for one in ("find", "sort", "page")]
    names = [*own, *others]

    @app.callback(
        Output(name, "children"), Output(name_of(own[2]), "value"),
        *(Input(name_of(one), "value") for one in names), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def redraw(*values: str | None) -> tuple[Any, str]:
        *chosen, search = (value or "" for value in values)
        selection = {**selection_of(search), **dict(zip(names, chosen, strict=True))}
        if ctx.triggered_id in (name_of(own[0]), name_of(own[1])):
            selection[own[2]] = ""  # other rows begin with their first page
        return part(name, make(open_study(), selection), selection), selection[own[2]]

    @app.server.route(f"/{name}.csv", endpoint=f"{name}.csv")
    def csv() -> flask.Response:
        asked = flask.request.args
        try:
            rows = found(make(open_study(), {}), asked.get("find", ""), asked.get("sort", ""))
        except InputError as error:
            return flask.Response(str(error), 409, mimetype="text/plain")
        file = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return flask.Response(rows.to_csv(index=False), mimetype="text/csv", headers=file)
