"""The exported page: all views of a study in one self-contained HTML file."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from plotly.offline import get_plotlyjs

from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.notes import read_notes
from tal_dashboards.data.study_data import StudyData
from tal_search.errors import InputError
from tal_search.text.printable import printable

# The page may not load anything, whatever its content is.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
ASSETS = Path(__file__).parents[1] / "app" / "assets"
STYLE = """
#contents ul { list-style: none; margin: 0; padding: 0; }
#contents { border: solid var(--line); border-width: 1px 0; margin: 12px 0; padding: 4px 0; }
#contents > ul { columns: 20em auto; column-gap: 24px; }
#contents > ul > li { padding: 3px 0; break-inside: avoid; }
#contents details { display: inline-block; margin-left: 12px; vertical-align: top; font-size: .9rem; }
#contents ~ section h3 { font-size: 1rem; margin: 16px 0 4px; }
#contents summary { color: var(--quiet); cursor: pointer; }
#contents li li { padding: 2px 0; overflow-wrap: anywhere; }
.written { white-space: pre-line; overflow-wrap: anywhere; border-left: 3px solid var(--line); padding-left: 10px; }
@media print { #contents details:not([open]) { display: none; } }
"""


class Section(NamedTuple):
    """A section of the page. name: its id; content: HTML; figures, tables: captions by id."""

    name: str
    title: str
    content: str
    figures: Mapping[str, str] = {}
    tables: Mapping[str, str] = {}


def study_page(data: StudyData, sections: Sequence[Section], files: Mapping[str, str]) -> str:
    """The page's HTML; files: descriptions of the other exported files by path."""
    badge = f' <strong class="badge">{data.label}</strong>' if data.label else ""
    style = "".join(
        path.read_text("utf-8") for path in sorted(ASSETS.glob("*.css"))
    )  # in the order in which Dash loads them
    content = "".join(
        f'<section id="{section.name}"><h2>{html.escape(section.title)}</h2>{section.content}</section>'
        for section in sections
    )
    beside = ", ".join(f'<a href="{html.escape(path)}">{html.escape(words)}</a>' for path, words in files.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{POLICY}"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(data.name)} – tal-search</title><style>{style}{STYLE}</style>"
        f"<script>{(ASSETS / 'page.js').read_text('utf-8')}</script>"
        f"<script>{get_plotlyjs()}</script></head><body><main><h1>{html.escape(data.name)}{badge}</h1>"
        f'<p>{html.escape(printable(data.description))}</p><p class="quiet">{html.escape(data.words)}</p>'
        f'{_damage(data)}{_notes(data)}<p class="quiet">Other files: {beside}.</p>{_contents(sections)}{content}'
        "</main></body></html>"
    )


def _damage(data: StudyData) -> str:
    """A sentence for each damaged file, whose numbers are left out."""
    return "".join(f'<p role="alert">{html.escape(sentence)}.</p>' for sentence in data.damage)


def _contents(sections: Sequence[Section]) -> str:
    """Links to the sections, their figures and their tables."""
    items = "".join(
        f'<li><a href="#{section.name}">{html.escape(section.title)}</a>{_parts(section)}</li>' for section in sections
    )
    return f'<nav id="contents" aria-label="Contents"><ul>{items}</ul></nav>'


def _parts(section: Section) -> str:
    captions = {**section.figures, **section.tables}
    if not captions:
        return ""
    kinds = ((len(section.figures), "figure"), (len(section.tables), "table"))
    words = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for count, kind in kinds if count)
    links = "".join(
        f'<li><a href="#{html.escape(name)}">{html.escape(text)}</a></li>' for name, text in captions.items()
    )  # fmt: skip
    return f"<details><summary>{words}</summary><ul>{links}</ul></details>"


def _notes(data: StudyData) -> str:
    """Users' notes on the study and its trials."""
    try:
        notes = read_notes(data.runs / data.name)
    except InputError as error:
        return f"<p>{html.escape(str(error))}</p>"
    trials = data.every.drop_duplicates("key")
    trials = trials[trials["key"].isin(list(notes.trials))]
    names = [
        f"{name} · seed {seed} · {annotator}"
        for name, seed, annotator in zip(names_of(data, trials), trials["seed"], trials["annotator"], strict=True)
    ]
    written = [("The study", notes.study)] if notes.study else []
    written += [(name, notes.trials[key]) for name, key in zip(names, trials["key"], strict=True)]
    items = "".join(
        f'<h3>{html.escape(name)}</h3><p class="written">{html.escape(text)}</p>' for name, text in written
    )  # fmt: skip
    return f'<section id="notes" aria-label="Notes"><h2>Notes</h2>{items}</section>' if items else ""
