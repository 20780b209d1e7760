"""A note on a study or on a trial: a box that keeps what was typed until it is saved, and saves it when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import MATCH, ClientsideFunction, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from tal_dashboards.app.components import announced
from tal_dashboards.data.notes import MOST_CHARACTERS, read_notes, write_note
from tal_dashboards.data.reader import StudyReader
from tal_search.errors import InputError

STUDY = "study"  # the note on the study itself, where others have the key of a fit


def note_part(folder: Path, key: str = STUDY) -> html.Div:
    """The note on a fit, or on the study of this folder; its callbacks are those of `register`."""
    try:
        text, problem = read_notes(folder).on("" if key == STUDY else key), ""
    except InputError as error:
        text, problem = "", str(error)
    what = "study" if key == STUDY else "trial"
    box = dcc.Textarea(
        id=_id("box", key), value=text, rows=text.count("\n") + 1, maxLength=MOST_CHARACTERS, spellCheck=False,
        placeholder=f"Write a note on this {what}", persistence=f"{folder.name}/{key}", persistence_type="session",
    )  # fmt: skip
    return html.Div([
        html.Label([html.Span(f"Note on this {what}"), box]),
        html.Button("Save the note", id=_id("save", key), type="button"),
        html.P(problem, id=_id("said", key), **announced()),
        dcc.Store(id=_id("seen", key), data=text),
    ], className="note", id=_id("note", key))  # fmt: skip


def _id(part: str, key: Any) -> dict[str, Any]:
    return {"type": f"note-{part}", "key": key}


def register(app: Any, open_study: StudyReader) -> None:
    """Saving, and a mark at a note that is not saved yet. Nothing else on these pages writes to the runs folder."""

    @app.callback(
        Output(_id("said", MATCH), "children"), Output(_id("seen", MATCH), "data"),
        Input(_id("save", MATCH), "n_clicks"), State(_id("box", MATCH), "value"), State(_id("seen", MATCH), "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def save(clicks: int | None, text: str | None, seen: str | None) -> tuple[str, str]:
        if not clicks or ctx.triggered_id is None:
            raise PreventUpdate
        return saved(open_study, str(ctx.triggered_id["key"]), text or "", seen or "")

    app.clientside_callback(
        ClientsideFunction("notes", "mark"), Output(_id("note", MATCH), "className"),
        Input(_id("box", MATCH), "value"), Input(_id("seen", MATCH), "data"),
    )  # fmt: skip


def saved(open_study: StudyReader, key: str, text: str, seen: str) -> tuple[str, str]:
    """What became of a note, in words, and the note that the next one replaces."""
    folder = open_study.runs / open_study.name
    place = "" if key == STUDY else key
    try:
        if place:
            open_study().folder(place)
        kept = write_note(folder, place, text, seen)
    except InputError as error:
        return str(error), _standing(folder, place, seen)
    return "Saved." if kept else "The note was removed.", kept


def _standing(folder: Path, place: str, seen: str) -> str:
    try:
        return read_notes(folder).on(place)
    except InputError:
        return seen
