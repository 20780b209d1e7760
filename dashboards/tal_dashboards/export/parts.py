"""Tables and figures of exported pages as HTML, with all text escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go

from tal_dashboards.app.components import TALL
from tal_dashboards.style import GRAPH, shown

MOST_ROWS = 500  # of a table on the page; the CSV has all


def html_table(table: pd.DataFrame, caption: str, name: str = "", *, most: int = MOST_ROWS) -> str:
    """The first `most` rows of a table; name: its id."""
    text = shown(table.drop(columns="mlflow", errors="ignore").head(most))
    numeric = [pd.api.types.is_numeric_dtype(table[name]) for name in text.columns]
    kinds = [' class="number"' if number else "" for number in numeric]
    head = "".join(
        f'<th scope="col"{kind}>{html.escape(str(name))}</th>' for name, kind in zip(text, kinds, strict=True)
    )
    rows = "".join(f"<tr>{_cells(row, kinds)}</tr>" for row in text.itertuples(index=False))
    more = f" (the first {most} of {len(table)} rows)" if len(table) > most else ""
    words = f"<caption>{html.escape(caption + more)}</caption>"
    # Focusable, so that it can be scrolled by keyboard.
    box = f'class="table" tabindex="0" role="region" aria-label="{html.escape(caption)}"'
    place = f' id="{html.escape(name)}"' if name else ""
    return f"<div {box}{place}><table>{words}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _cells(row: Iterable[object], kinds: Iterable[str]) -> str:
    return "".join(f"<td{kind}>{html.escape(str(cell))}</td>" for cell, kind in zip(row, kinds, strict=True))


def html_figure(figure: go.Figure, caption: str, name: str) -> str:
    """A figure, drawn by the page's copy of Plotly; name: its id."""
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config=GRAPH)
    tall = ' class="tall"' if (figure.layout.height or 0) > TALL else ""
    return f'<figure id="{html.escape(name)}"{tall}>{drawn}<figcaption>{html.escape(caption)}</figcaption></figure>'
