"""Tables searched, sorted and paged by the server, so that 100 000 trials are as fast as 100."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple, TypedDict
from urllib.parse import urlencode

import dash
import flask
import pandas as pd
from dash import Input, Output, State, ctx, dcc, html

from tal_dashboards.app import components
from tal_dashboards.app.components import name_of
from tal_dashboards.data.numbers import whole
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_search.errors import InputError
from tal_search.text.csv_text import csv_text

PAGE = 100  # rows of a page
PAUSE = 0.3  # seconds without a keystroke before the search runs
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:/\d+)?)")


TableData = TypedDict("TableData", {"data-table": str})


class Cell(TypedDict, total=False):
    """A cell of a table's body with more than text.

    scope: "row" or "rowgroup" of a header of its row or rows. look: CSS class instead of the column's. share: strength
    of its colour ("55%"). href: a query of this page, or another site's address, opened in a new tab. small: text below
    the cell's. rows: the number of rows it spans.
    """

    text: str
    scope: str
    look: str
    share: str
    href: str
    small: str
    rows: int


class Row(NamedTuple):
    """Cells in the order of a grid's heads, without the first where a cell of an earlier row spans this row; look: the
    row's CSS class.
    """

    cells: list[str | Cell]
    look: str = ""


class Grid(NamedTuple):
    """A table with more rows than one page.

    hint: an example of a search. frame: every row, in the default order; its columns are those of the CSV file. heads:
    the columns shown, with their titles. text: the frame that `matching` searches, made only for a search. draw: makes
    the rows of a page.
    """

    caption: str
    hint: str
    frame: pd.DataFrame
    heads: dict[str, str]
    text: Callable[[], pd.DataFrame]
    draw: Callable[[pd.DataFrame], list[Row]]


def searchable(text: str) -> str:
    """Text normalized for the search: lower case, "h = 1, seed 2" as "h=1 seed=2"."""
    plain = re.sub(r"\s*=\s*", "=", text.lower().replace(",", " "))
    return re.sub(r"\bseed\s+(?=\d)", "seed=", plain)


def matching(text: pd.DataFrame, sought: str) -> pd.Series[bool]:
    """A mask of the rows that match every word of `sought`: "h=1" as a whole, so that it does not match h = 11; one or
    two letters at the start of a word; longer ones anywhere.

    text: `searchable` columns with a space at both ends: a row's `words`, and its `values` as "NAME=VALUE".
    """
    kept = pd.Series(True, index=text.index)
    for word in searchable(sought).split():
        if "=" in word:
            kept &= text["values"].str.contains(f" {word} ", regex=False)
        else:
            kept &= text["words"].str.contains(word if len(word) > 2 else f" {word}", regex=False)
    return kept


def found(grid: Grid, sought: str, order: str) -> pd.DataFrame:
    """The matching rows, sorted by the column `order`, descending for "-COLUMN"; missing values come last.

    Unsorted where there is no such column.
    """
    rows = grid.frame[matching(grid.text(), sought)] if sought.strip() else grid.frame
    column = order.removeprefix("-")
    if column not in grid.heads:
        return rows
    return rows.sort_values(column, ascending=order == column, kind="stable", key=_sortable)


def _sortable(column: pd.Series) -> pd.Series:
    """Sort key: numbers as they are; else ranks, numbers before text, with numbers within text in numeric order."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    codes, values = pd.factorize(column)
    keys = [_natural(value) for value in values]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    rank = pd.Series(range(len(order)), index=order, dtype=float)
    return pd.Series(rank.reindex(codes).to_numpy(), index=column.index)


def _natural(value: str | float) -> tuple[bool, list[str | float]]:
    if not isinstance(value, str):
        return False, [value]
    parts = NUMBER.split(value)
    return True, [_float(*part.split("/")) if at % 2 else part for at, part in enumerate(parts)]


def _float(numerator: str, denominator: str = "1") -> float:
    return float(numerator) / (float(denominator) or 1.0)


def layout(name: str, grid: Grid, selection: Selection) -> html.Div:
    """The controls and the table that they redraw; name: the table's id and the prefix of its names in the selection.

    assets/tables.js builds the table from its data-table attribute.
    """
    search = dcc.Input(
        type="search", id=name_of(f"{name}-find"), value=selection.get(f"{name}-find", ""), debounce=PAUSE,
        placeholder=grid.hint, autoComplete="off", spellCheck=False,
    )  # fmt: skip
    hidden = [
        dcc.Input(type="hidden", id=name_of(f"{name}-{control}"), value=selection.get(f"{name}-{control}", ""))
        for control in ("sort", "page")
    ]
    controls = html.Div([components.chosen("Find", search), *hidden], className="finder")
    data: TableData = {"data-table": content(name, grid, selection)}
    return html.Div([controls, html.Div(id=name, **data)], className="grid")


def content(name: str, grid: Grid, selection: Selection) -> str:
    """One page of rows with counts, page numbers and sort orders, as JSON for assets/tables.js.

    As Dash components, a page of rows would take the browser about 1 ms of CPU time for each of a thousand and more.
    """
    sought, order = (selection.get(f"{name}-{control}", "") for control in ("find", "sort"))
    rows = found(grid, sought, order)
    pages = max(1, -(-len(rows) // PAGE))
    page = min(whole(selection.get(f"{name}-page", "")) or 1, pages)
    drawn = [row._asdict() for row in grid.draw(rows.iloc[PAGE * (page - 1) : PAGE * page])]
    return json.dumps({
        "name": name, "caption": grid.caption, "count": _count(len(rows), len(grid.frame)),
        "csv": f"{name}.csv?{urlencode({'find': sought, 'sort': order})}", "page": page, "pages": pages,
        "heads": [_head(grid, column, order) for column in grid.heads], "rows": drawn,
    }, ensure_ascii=False)  # fmt: skip


def _count(rows: int, whole: int) -> str:
    return f"{rows:,} of {whole:,} rows" if rows < whole else f"{whole:,} rows" if whole != 1 else "1 row"


def _head(grid: Grid, column: str, order: str) -> dict[str, str]:
    """Title of a column and the order that a click selects: first numbers descending or text ascending, then the
    reverse, then unsorted.
    """
    numeric = pd.api.types.is_numeric_dtype(grid.frame[column])
    cycle = [f"-{column}", column, ""] if numeric else [column, f"-{column}", ""]
    following = cycle[(cycle.index(order) + 1) % 3] if order in cycle else cycle[0]
    sorted_by = {column: "ascending", f"-{column}": "descending"}.get(order, "")
    return {
        "words": grid.heads[column], "kind": "number" if numeric else "", "order": following, "sorted": sorted_by
    }  # fmt: skip


def register(
    app: dash.Dash,
    name: str,
    make: Callable[[StudyData, Selection], Grid],
    open_study: Callable[[], StudyData],
    *others: str,
) -> None:
    """Register a grid's callback and its CSV file. others: further names of the selection that its rows depend on."""
    own = [f"{name}-{control}" for control in ("find", "sort", "page")]
    names = [*own, *others]

    @app.callback(
        Output(name, "data-table"), Output(name_of(own[2]), "value"),
        *(Input(name_of(control), "value") for control in names), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def redraw(*values: str | None) -> tuple[str, str]:
        *chosen, search = (value or "" for value in values)
        selection = {**selection_of(search), **dict(zip(names, chosen, strict=True))}
        if ctx.triggered_id in (name_of(own[0]), name_of(own[1])):
            selection[own[2]] = ""  # start at the first page of the new rows
        return content(name, make(open_study(), selection), selection), selection[own[2]]

    @app.server.route(f"/{name}.csv", endpoint=f"{name}.csv")
    def csv() -> flask.Response:
        asked = flask.request.args
        try:
            rows = found(make(open_study(), {}), asked.get("find", ""), asked.get("sort", ""))
        except InputError as error:
            return flask.Response(str(error), 409, mimetype="text/plain")
        file = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return flask.Response(csv_text(rows), mimetype="text/csv", headers=file)
