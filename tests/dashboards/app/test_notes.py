"""The box of a note and what saving it answers."""

from __future__ import annotations

import shutil
from pathlib import Path

from tal_dashboards.app.notes import STUDY, note_part, saved
from tal_dashboards.data.notes import FILE, Notes, read_notes, write_note
from tal_dashboards.data.reader import StudyReader
from tests.support.dashboard_parts import words
from tests.support.small_dashboards import Made

KEY = "0123456789abcdef0123"


def test_the_box_holds_the_note_and_says_what_it_is_on(tmp_path: Path) -> None:
    write_note(tmp_path, "", "two\nlines", "")
    box = note_part(tmp_path).children[0].children[1]
    assert (box.value, box.rows) == ("two\nlines", 2)
    assert words(note_part(tmp_path)).startswith("Note on this study")
    assert words(note_part(tmp_path, KEY)).startswith("Note on this trial")


def test_a_damaged_file_is_a_message_beside_an_empty_box(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    part = note_part(tmp_path)
    assert FILE in words(part)
    assert part.children[0].children[1].value == ""


def test_of_two_who_edit_one_note_the_second_is_told_and_may_replace_it(swept: Made, tmp_path: Path) -> None:
    shutil.copytree(swept.runs / swept.name, tmp_path / swept.name)
    open_study = StudyReader(tmp_path, swept.name)
    assert saved(open_study, STUDY, "from the first", "") == ("Saved.", "from the first")
    said, seen = saved(open_study, STUDY, "from the second", "")
    assert "changed this note meanwhile" in said
    assert "“from the first”" in said
    assert read_notes(tmp_path / swept.name).study == seen == "from the first"
    assert saved(open_study, STUDY, "from the second", seen) == ("Saved.", "from the second")
    assert saved(open_study, STUDY, "", "from the second") == ("The note was removed.", "")
    key = str(swept.read().trials["key"].iloc[0])
    assert saved(open_study, key, "of a trial", "") == ("Saved.", "of a trial")
    assert "has no trial of the key" in saved(open_study, KEY, "of another study's", "")[0]
    assert read_notes(tmp_path / swept.name) == Notes("", {key: "of a trial"})
