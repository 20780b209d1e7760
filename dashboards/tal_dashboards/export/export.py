"""What the dashboards of a study show, as files: a page that asks no network for anything, CSV, LaTeX, pictures."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.pictures import find_browser, pictures
from tal_dashboards.style import COLOURS, GRAPH, shown
from tal_dashboards.views import views
from tal_search.errors import InputError
from tal_search.files.atomic import write_atomically

# No address at all may be asked by the page, whatever its content tries.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
ASSETS = Path(__file__).parents[1] / "app" / "assets"
MOST_ROWS = 500  # of a table on the page; the CSV has all
GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "θ": "theta", "λ": "lambda", "ρ": "rho", "τ": "tau", "Δ": "Delta"}
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--", "×": r"$\times$", "<": "$<$",
    ">": "$>$", **{letter: rf"$\{name}$" for letter, name in GREEK.items()},
}  # fmt: skip


def export_study(runs: Path, study: str, out: Path) -> list[str]:
    """Write every view's files into `out`; returns sentences for the user. Raises InputError: no such study."""
    data = StudyReader(runs, study)()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"command line: out={out} cannot be made ({error.strerror}); give another folder") from None
    figures: dict[str, go.Figure] = {}
    sections, count = [], 0
    for name, view in views().items():
        try:
            info = view.info(data, {})
            drawn, tables = view.figures(info), view.tables(info)
            for figure in drawn.values() if data.simulated else ():
                mark_simulated(figure)
        except InputError as error:
            sections.append(f"<h2>{html.escape(view.TITLE)}</h2><p>{html.escape(str(error))}</p>")
            continue
        sections.append(_section(view.TITLE, drawn, tables))
        figures |= {file_name(name, one): figure for one, figure in drawn.items()}
        for title, table in tables.items():
            _write(out / "tables" / f"{file_name(name, title)}.csv", table.to_csv(index=False).encode())
            _write(out / "tables" / f"{file_name(name, title)}.tex", latex(table, f"{study}: {title}").encode())
            count += 1
    _write(out / "index.html", _page(data, sections).encode())
    return [f"{out / 'index.html'}, and {count} tables as CSV and LaTeX in {out / 'tables'}.", _draw(figures, out)]


def _draw(figures: dict[str, go.Figure], out: Path) -> str:
    """The pictures, as far as a browser is there; says what became of them."""
    browser = find_browser()
    if browser is None:
        return "No pictures: they need a Chromium; install the package chromium, or name one in BROWSER_PATH."
    files = pictures(browser, figures)
    for name, content in files.items():
        _write(out / "figures" / name, content)
    missing = [name for name in figures if f"{name}.svg" not in files or f"{name}.png" not in files]
    lacking = f" {browser} did not draw {', '.join(missing)}." if missing else ""
    return f"{len(figures) - len(missing)} figures as SVG and PNG in {out / 'figures'}.{lacking}"


def mark_simulated(figure: go.Figure) -> None:
    """In the corner below the plot: a picture that is passed on still says it."""
    below = min(34, figure.layout.margin.b - 20)  # pixels; a small margin would cut the words
    figure.add_annotation(
        text="simulated data", x=1, y=0, xref="paper", yref="paper", xanchor="right", yanchor="top", yshift=-below,
        showarrow=False, font={"size": 13, "color": COLOURS[1]},
    )  # fmt: skip


def file_name(view: str, title: str) -> str:
    """Of a table or figure: letters, digits and a few marks, so that no title leads anywhere else."""
    return f"{view}-" + re.sub(r"[^\w@=-]+", "-", title).strip("-")[:100]


def latex(table: pd.DataFrame, caption: str) -> str:
    """A table for \\usepackage{booktabs}; numbers as on the page, to the right."""
    text = shown(table.drop(columns="mlflow", errors="ignore"))
    right = ["r" if pd.api.types.is_numeric_dtype(table[name]) else "l" for name in text.columns]
    rows = [[escaped(cell) for cell in row] for row in [list(text.columns), *text.to_numpy().tolist()]]
    lines = [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}", rf"\begin{{tabular}}{{{''.join(right)}}}",
        r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def escaped(text: object) -> str:
    """Text for LaTeX."""
    return "".join(LATEX.get(character, character) for character in str(text))


def _section(title: str, figures: dict[str, go.Figure], tables: dict[str, pd.DataFrame]) -> str:
    drawn = "".join(
        f"<figure>{figure.to_html(full_html=False, include_plotlyjs=False, config=GRAPH)}"
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
        for name, figure in figures.items()
    )
    return f"<h2>{html.escape(title)}</h2>{drawn}{''.join(_table(name, table) for name, table in tables.items())}"


def _table(title: str, table: pd.DataFrame) -> str:
    text = shown(table.drop(columns="mlflow", errors="ignore").head(MOST_ROWS))
    numeric = [pd.api.types.is_numeric_dtype(table[name]) for name in text.columns]
    kinds = ['class="number"' if one else "" for one in numeric]
    head = "".join(
        f'<th scope="col" {kind}>{html.escape(str(name))}</th>' for name, kind in zip(text, kinds, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td {kind}>{html.escape(str(cell))}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in text.itertuples(index=False)
    )
    more = f" (the first {MOST_ROWS} of {len(table)} rows)" if len(table) > MOST_ROWS else ""
    caption = f"<caption>{html.escape(title + more)}</caption>"
    box = f'class="table" tabindex="0" role="region" aria-label="{html.escape(title)}"'  # scrolled by keyboard as well
    return f"<div {box}><table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _page(data: StudyData, sections: list[str]) -> str:
    badge = ' <strong class="badge">simulated data</strong>' if data.simulated else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{POLICY}"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(data.name)} – tal-search</title>"
        f"<style>{(ASSETS / 'style.css').read_text('utf-8')}</style>"
        f"<script>{(ASSETS / 'page.js').read_text('utf-8')}</script>"
        f"<script>{get_plotlyjs()}</script></head><body><main><h1>{html.escape(data.name)}{badge}</h1>"
        f'<p>{html.escape(data.description)}</p><p class="quiet">{html.escape(data.words)}</p>{"".join(sections)}'
        "</main></body></html>"
    )


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda stream: stream.write(content))
