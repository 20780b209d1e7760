"""The overview as HTML: the first section of the exported page, and a sheet that is printed to overview.pdf."""

from __future__ import annotations

import base64
import html
import re

import pandas as pd
import plotly.graph_objects as go

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.parts import html_table
from tal_dashboards.figures.overview_figure import overview_figure
from tal_dashboards.views.overview import caption
from tal_search.results.overview import Overview, answer, overview, ranking_table
from tal_search.results.ranking import ranking
from tal_search.results.statistics import HIGH, LOW

MOST_ROWS = 24  # of the sheet's table
WIDTH, LEAST_HEIGHT = 186, 80  # millimetres: width of the sheet, and height that its figure is not shrunk below
FIGURE_ROWS, FIGURE_WIDTHS = 7, (900, 1094)  # of the sheet's figure; pixels with up to that many rows, and with more
BEST_CELLS = 10  # shown for a study without a ranking
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
@page { size: A4 portrait; margin: 0; }
* { box-sizing: border-box; }
html, body { margin: 0; padding: 0; }
body { color: #222; background: #fff; font: 9pt/1.35 system-ui, "Segoe UI", Roboto, Arial, "DejaVu Sans", sans-serif; }
/* The width of A4 and the height of Letter, without margins. */
#sheet { width: 186mm; height: 254mm; margin: 12mm 12mm 0; overflow: hidden; display: flex; flex-direction: column; }
#sheet > * { flex: none; }
#sheet > img { flex: 0 1 auto; max-width: 100%; object-fit: contain; object-position: left top; }
h1 { font-size: 1.5em; margin: 0 0 .2em; overflow-wrap: anywhere; }
h3 { font-size: 1.1em; margin: .5em 0 .2em; }
p { margin: .15em 0; overflow-wrap: anywhere; }
.badge { font-size: .6em; vertical-align: middle; padding: .2em .6em; border-radius: 3px; }
.badge { background: #ffe9b3; color: #5c3d00; }
.quiet { color: #595959; font-size: .85em; }
.answer { border-left: 3px solid #0060a0; padding-left: .8em; margin: .5em 0; font-size: 1.1em; }
.answer p:first-child { font-weight: 600; }
table { border-collapse: collapse; font-size: .85em; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .4em 0 .2em; }
th, td { padding: .15em .8em .15em 0; text-align: left; border-bottom: .5pt solid #d9d9d9; font-weight: 400; }
td { max-width: 50mm; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
thead th { border-bottom: 1pt solid #222; border-top: 1pt solid #222; font-weight: 600; vertical-align: bottom; }
th.number, td.number { text-align: right; }
pre { margin: .2em 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85em; }
pre { background: #eef5fb; padding: .3em .6em; }
"""
# Shrink the font until everything fits on the sheet.
FIT = """
const sheet = document.getElementById("sheet");
for (let size = 9; size > 3 && sheet.scrollHeight > sheet.clientHeight; size -= 0.25)
  document.body.style.fontSize = size + "pt";
"""


def overview_section(data: StudyData, figure: str) -> str:
    """The inner HTML of the page's first section; figure: HTML of the figure, or ""."""
    results = overview(data)
    return f"{answer_words(data, results)}{figure}{next_words(results)}{ranking_html(data, results)}"


def sheet_figure(results: Overview) -> go.Figure:
    """The figure of the sheet, with only as many rows as leave room for the table."""
    narrow, wide = FIGURE_WIDTHS
    drawn = overview_figure(_drawn(results))
    return drawn.update_layout(width=narrow if len(results.ranking) <= FIGURE_ROWS else wide)


def _drawn(results: Overview) -> Overview:
    """The results with only the rows of the sheet's figure: up to seven, fewer above a long table."""
    beyond = min(len(results.ranking), MOST_ROWS) - FIGURE_ROWS
    return results._replace(ranking=results.ranking.head(FIGURE_ROWS - max(0, beyond - 6) // 4))


def overview_sheet(data: StudyData, picture: bytes | None) -> str:
    """An HTML page that prints on a single page of A4 or Letter; picture: the figure as SVG."""
    results = overview(data)
    badge = f' <strong class="badge">{data.label}</strong>' if data.label else ""
    drawn = ""
    if picture is not None:
        source = f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"
        least = min(LEAST_HEIGHT, WIDTH * _ratio(picture))
        drawn = (
            f'<img src="{source}" alt="" style="min-height: {least:.0f}mm">'
            f'<p class="quiet">{html.escape(_caption(results))}</p>'
        )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{POLICY}"><title>{html.escape(data.name)}: overview</title><style>{STYLE}</style></head><body>'
        f'<div id="sheet"><h1>{html.escape(data.name)}{badge}</h1><p>{html.escape(data.description)}</p>'
        f'<p class="quiet">{html.escape(data.words)}</p>{answer_words(data, results)}{drawn}'
        f"{ranking_html(data, results, MOST_ROWS)}{next_words(results)}</div><script>{FIT}</script></body></html>"
    )


def _caption(results: Overview) -> str:
    drawn, rows = _drawn(results), len(results.ranking)
    more = "" if len(drawn.ranking) == rows else f" The first {len(drawn.ranking)} of {rows}."
    return caption(drawn) + more


def _ratio(picture: bytes) -> float:
    """Height over width of an SVG."""
    matches = [re.search(rb'<svg [^>]*\b%s="([\d.]+)' % name, picture) for name in (b"height", b"width")]
    height, width = (float(match[1]) if match else 1.0 for match in matches)
    return height / width


def answer_words(data: StudyData, results: Overview) -> str:
    """The answer in sentences."""
    sentences = answer(results) if len(data.done) else ["No trial of this study is finished yet."]
    return f'<div class="answer">{"".join(f"<p>{html.escape(words)}</p>" for words in sentences)}</div>'


def ranking_html(data: StudyData, results: Overview, most: int | None = None) -> str:
    """The ranking as a table, or the best cells of a sampler without a ranking; most: rows shown."""
    if len(results.ranking):
        table, title = ranking_table(results), f"The same in points of {results.score}"
    elif data.objectives and data.plan == "sampler" and len(data.done):
        best = ranking(data)
        score = f"mAP@{best.tiou} (%)"
        named = {"mAP": f"holdout {score}", "test": f"test {score}"}
        named |= {name + end: words + end for name, words in named.items() for end in (LOW, HIGH)}
        table = best.rows.head(BEST_CELLS).rename(columns={**data.axes, **named}).drop(columns="best")
        title = f"The best {len(table)} of {len(best.rows)} cells"
    else:
        return ""
    table = table.loc[:, [name for name in table if not _is_empty(table[name])]]
    return html_table(table, title, most=most or len(table))


def _is_empty(column: pd.Series[str]) -> bool:
    return bool((column.isna() | (column.astype(str) == "")).all())


def next_words(results: Overview) -> str:
    """The next runs as sentences and commands, "" if there are none."""
    steps = results.steps
    if not steps:
        return ""
    return "<h3>What to run next</h3>" + "".join(
        f"<p>{html.escape(words)}:</p><pre><code>{html.escape(command)}</code></pre>"
        if command
        else f"<p>{html.escape(words)}.</p>"
        for words, command in steps
    )
