"""Export of a study's dashboards as files: a self-contained HTML page, JSON, CSV, LaTeX, images and a PDF."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.captions import caption, table_heading
from tal_dashboards.export.latex import latex
from tal_dashboards.export.names import file_names
from tal_dashboards.export.overview_page import overview_section, overview_sheet, sheet_figure
from tal_dashboards.export.page import Section, study_page
from tal_dashboards.export.parts import html_figure, html_table
from tal_dashboards.export.pictures import find_browser, pdf, pictures
from tal_dashboards.export.study_table import study_latex
from tal_dashboards.style import COLOURS
from tal_dashboards.views import views
from tal_dashboards.views.overview import caption as overview_caption
from tal_search.errors import InputError
from tal_search.files.atomic import write_atomically
from tal_search.results.folds.pooling import folds_json, interval_words, spread_of
from tal_search.results.overview import as_json, overview
from tal_search.results.statistics import LOW
from tal_search.text.csv_text import csv_text

OVERVIEW = "overview"
SHEET = "sheet of the overview"  # name of the figure in overview.pdf; never a file name
MARK_HEIGHT = 22  # pixels added below a figure for the mark "simulated data" or "simulated clicks"


class View(NamedTuple):
    """Figures and tables of one view by file name, with their captions; problem: why it cannot be drawn, else ""."""

    name: str
    title: str
    figures: dict[str, go.Figure]
    tables: dict[str, pd.DataFrame]
    captions: dict[str, str]
    problem: str = ""


def export_study(runs: Path, study: str, out: Path) -> list[str]:
    """Write the files of all views into `out`; returns lines for the user. Raises InputError: no such study."""
    data = StudyReader(runs, study)()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"command line: out={out} cannot be made ({error.strerror}); give another folder") from None
    drawn = [_view(data, name) for name in views()]
    count = sum(_write_tables(data, view, out / "tables") for view in drawn)
    paper = study_latex(data, overview(data))
    if paper is not None:
        _write(out / "tables" / "study.tex", paper.encode())
    answer = json.dumps(as_json(overview(data)) | folds_json(data), allow_nan=False, indent=1, ensure_ascii=False)
    _write(out / "overview.json", answer.encode())
    lines, sheet = draw(data, {name: figure for view in drawn for name, figure in view.figures.items()}, out)
    one = "; study.tex has all values in one" if paper is not None else ""
    files = {
        **({"overview.pdf": "the answer on one page (PDF)"} if sheet else {}),
        "overview.json": "its numbers (JSON)",
        **({"tables/study.tex": "all values as one table (LaTeX)"} if paper is not None else {}),
        "tables/": "every table (CSV and LaTeX)",
    }  # fmt: skip
    _write(out / "index.html", study_page(data, [_section(data, view) for view in drawn], files).encode())
    return [
        f"Written to {out}:",
        "index.html: all figures and tables on one page, which works offline.",
        "overview.json: the answer, with unrounded numbers.",
        f"tables/: {count} tables as CSV and LaTeX{one}.",
        *lines,
        *(f"Left out: {sentence}." for sentence in data.damage),
    ]


def _view(data: StudyData, name: str) -> View:
    """Draw one view; figures of simulated data or clicks are marked."""
    view = views()[name]
    try:
        info = view.info(data, {})
        figures, tables = view.figures(info), view.tables(info)
    except InputError as error:
        return View(name, view.TITLE, {}, {}, {}, str(error))
    for figure in figures.values() if data.label else ():
        mark_simulated(figure, data.label)
    of_figures, of_tables = file_names(name, figures), file_names(name, tables)
    captions = {f"figure-{file}": caption(name, title) for title, file in of_figures.items()}
    captions |= {f"table-{file}": caption(name, title) for title, file in of_tables.items()}
    if name == OVERVIEW and figures:
        captions[f"figure-{OVERVIEW}"] = overview_caption(overview(data))
    if data.subjects:
        captions = {file: f"{words} Intervals: {interval_words(data.subjects)}." for file, words in captions.items()}
    return View(
        name, view.TITLE, {of_figures[title]: figure for title, figure in figures.items()},
        {of_tables[title]: table for title, table in tables.items()}, captions,
    )  # fmt: skip


def _section(data: StudyData, view: View) -> Section:
    """A view's section of the page; the overview has its own layout."""
    figures = {name: words for name, words in view.captions.items() if name.startswith("figure-")}
    drawn = "".join(
        html_figure(figure, view.captions[f"figure-{file}"], f"figure-{file}") for file, figure in view.figures.items()
    )
    if view.name == OVERVIEW:
        return Section(view.name, view.title, overview_section(data, drawn), figures)
    if view.problem:
        return Section(view.name, view.title, f"<p>{html.escape(view.problem)}</p>")
    tables = "".join(
        html_table(table, view.captions[f"table-{file}"], f"table-{file}") for file, table in view.tables.items()
    )
    rest = {name: words for name, words in view.captions.items() if name not in figures}
    return Section(view.name, view.title, drawn + tables, figures, rest)


def _write_tables(data: StudyData, view: View, folder: Path) -> int:
    """Write a view's tables as CSV and LaTeX; returns their number."""
    words_of = spread_of(data.subjects)
    for file, table in view.tables.items():
        if data.subjects and any(str(name).endswith(LOW) for name in table):
            table = table.assign(intervals=words_of)
        spread = f" {words_of[0].upper()}{words_of[1:]}." if any(str(name).endswith(LOW) for name in table) else ""
        words = f"{view.captions[f'table-{file}']} {table_heading(data)}{spread}"
        _write(folder / f"{file}.csv", csv_text(table).encode())
        _write(folder / f"{file}.tex", latex(table, words, f"{data.name}-{file}", data.axes).encode())
    return len(view.tables)


def draw(data: StudyData, figures: Mapping[str, go.Figure], out: Path) -> tuple[list[str], bool]:
    """Write images and overview.pdf if there is a browser; returns lines for the user and whether there is a PDF."""
    browser = find_browser()
    if browser is None:
        return [
            "No images and no overview.pdf: they need Chromium; install the package chromium,",
            "or set BROWSER_PATH to its program.",
        ], False  # fmt: skip
    ranked = len(overview(data).ranking) > 0
    files = pictures(browser, {**figures, **({SHEET: sheet_figure(overview(data))} if ranked else {})})
    on_sheet = {kind: files.pop(f"{SHEET}.{kind}", None) for kind in ("svg", "png")}
    for name, content in files.items():
        _write(out / "figures" / name, content)
    sheet = pdf(browser, overview_sheet(data, on_sheet["svg"]))
    if sheet is not None:
        _write(out / "overview.pdf", sheet)
    missing = [name for name in figures if f"{name}.svg" not in files or f"{name}.png" not in files]
    lacking = [*missing, *(["overview.pdf"] if sheet is None else [])]
    return [
        f"figures/: {len(figures) - len(missing)} figures as SVG and PNG.",
        *(["overview.pdf: the answer on one page."] if sheet is not None else []),
        *([f"{browser} did not draw {', '.join(lacking)}."] if lacking else []),
    ], sheet is not None


def mark_simulated(figure: go.Figure, label: str) -> None:
    """Add a line (see `simulation_label`) below the figure, so that images carry it when passed on."""
    below = figure.layout.margin.b
    figure.update_layout(
        margin_b=(80 if below is None else below) + MARK_HEIGHT,
        height=None if figure.layout.height is None else figure.layout.height + MARK_HEIGHT,
        title={
            "text": label, "font": {"size": 13, "color": COLOURS[1]}, "xref": "container", "x": 1,
            "xanchor": "right", "yref": "container", "y": 0, "yanchor": "bottom", "pad": {"r": 8, "b": 4},
        },
    )  # fmt: skip


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda stream: stream.write(content))
