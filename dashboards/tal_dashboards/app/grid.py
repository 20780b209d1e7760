"""Tables that the server searches, sorts and pages, so that a hundred thousand trials are as quick as a hundred."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict
from urllib.parse import urlencode

import flask
import pandas as pd
from dash import Input, Output, State, ctx, dcc, html

from tal_dashboards.app import components
from tal_dashboards.app.components import name_of
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_search.errors import InputError

PAGE = 100  # rows
PAUSE = 0.3  # seconds without a keystroke after which the text is looked for
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:/\d+)?)")


class Cell(TypedDict, total=False):
    """A cell of a table's body that is more than its text.

    scope: "row" or "rowgroup" where it names its row, or rows. look: its class, in the place of its column's; share:
    how deep its colour is ("55%"). href: a query of this page, or the address of another one, opened in a tab of its
    own. small: words below the text. rows: how many it stands beside.
    """

    text: str
    scope: str
    look: str
    share: str
    href: str
    small: str
    rows: int


class Row(NamedTuple):
    """Cells in the order of a grid's heads, the first left out where one of an earlier row stands beside this one;
    look: the row's class.
    """

    cells: list[str | Cell]
    look: str = ""


class Grid(NamedTuple):
    """A table with more rows than a page draws.

    hint: an example of what to look for. frame: every row, in the order that nobody chose; its columns are those of
    a CSV file. heads: the columns that are shown, each with the words above it. text: see `matching`, asked for when
    something is looked for. draw: the rows of a page.
    """

    caption: str
    hint: str
    frame: pd.DataFrame
    heads: dict[str, str]
    text: Callable[[], pd.DataFrame]
    draw: Callable[[pd.DataFrame], list[Row]]


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
    """The controls and the part of the page that they redraw; name: its id, with which the selection's names begin.

    The part has no components: assets/tables.js fills it.
    """
    sought = dcc.Input(
        type="search", id=name_of(f"{name}-find"), value=selection.get(f"{name}-find", ""), debounce=PAUSE,
        placeholder=grid.hint, autoComplete="off", spellCheck=False,
    )  # fmt: skip
    hidden = [
        dcc.Input(type="hidden", id=name_of(f"{name}-{one}"), value=selection.get(f"{name}-{one}", ""))
        for one in ("sort", "page")
    ]
    controls = html.Div([components.chosen("Find", sought), *hidden], className="finder")
    data: Any = {"data-table": content(name, grid, selection)}
    return html.Div([controls, html.Div(id=name, **data)], className="grid")


def content(name: str, grid: Grid, selection: Selection) -> str:
    """How many rows there are, a page of them, and what turns pages and sorts, as JSON for assets/tables.js.

    A page of rows as components of Dash, a thousand and more, takes the browser about 1 ms of the processor for each.
    """
    sought, order = (selection.get(f"{name}-{one}", "") for one in ("find", "sort"))
    rows = found(grid, sought, order)
    pages = max(1, -(-len(rows) // PAGE))
    chosen = selection.get(f"{name}-page", "")
    page = min(int(chosen), pages) if chosen.isdecimal() and int(chosen) else 1
    drawn = [row._asdict() for row in grid.draw(rows.iloc[PAGE * (page - 1) : PAGE * page])]
    return json.dumps({
        "name": name, "caption": grid.caption, "count": _count(len(rows), len(grid.frame)),
        "csv": f"{name}.csv?{urlencode({'find': sought, 'sort': order})}", "page": page, "pages": pages,
        "heads": [_head(grid, column, order) for column in grid.heads], "rows": drawn,
    }, ensure_ascii=False)  # fmt: skip


def _count(rows: int, whole: int) -> str:
    return f"{rows:,} of {whole:,} rows" if rows < whole else f"{whole:,} rows" if whole != 1 else "1 row"


def _head(grid: Grid, column: str, order: str) -> dict[str, str]:
    """Its words, and the order that pressing it chooses: first from the greatest number or the first letter on, then
    the other way, then none.
    """
    numeric = pd.api.types.is_numeric_dtype(grid.frame[column])
    cycle = [f"-{column}", column, ""] if numeric else [column, f"-{column}", ""]
    following = cycle[(cycle.index(order) + 1) % 3] if order in cycle else cycle[0]
    sorted_by = {column: "ascending", f"-{column}": "descending"}.get(order, "")
    return {
        "words": grid.heads[column], "kind": "number" if numeric else "", "order": following, "sorted": sorted_by
    }  # fmt: skip


def register(
    app: Any, name: str, make: Callable[[StudyData, Selection], Grid], open_study: Callable[[], StudyData], *others: str
) -> None:
    """The callback that redraws a grid, and its CSV file. others: further names of the selection its rows depend on."""
    own = [f"{name}-{one}" for one in ("find", "sort", "page")]
    names = [*own, *others]

    @app.callback(
        Output(name, "data-table"), Output(name_of(own[2]), "value"),
        *(Input(name_of(one), "value") for one in names), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def redraw(*values: str | None) -> tuple[str, str]:
        *chosen, search = (value or "" for value in values)
        selection = {**selection_of(search), **dict(zip(names, chosen, strict=True))}
        if ctx.triggered_id in (name_of(own[0]), name_of(own[1])):
            selection[own[2]] = ""  # other rows begin with their first page
        return content(name, make(open_study(), selection), selection), selection[own[2]]

    @app.server.route(f"/{name}.csv", endpoint=f"{name}.csv")
    def csv() -> flask.Response:
        asked = flask.request.args
        try:
            rows = found(make(open_study(), {}), asked.get("find", ""), asked.get("sort", ""))
        except InputError as error:
            return flask.Response(str(error), 409, mimetype="text/plain")
        file = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return flask.Response(rows.to_csv(index=False), mimetype="text/csv", headers=file)
