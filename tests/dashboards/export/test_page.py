"""The exported page: notes and numbers as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tal_dashboards.data.notes import write_note
from tal_dashboards.export.page import study_page
from tal_dashboards.views import cost, tables
from tests.support.small_dashboards import Made


def test_notes_stand_on_the_page_as_text(swept: Made, tmp_path: Path) -> None:
    data = replace(swept.read(), runs=tmp_path)
    (tmp_path / data.name).mkdir()
    assert "Notes" not in study_page(data, [], {})
    write_note(tmp_path / data.name, "", "The <i>first</i> try", "")
    write_note(tmp_path / data.name, str(data.trials["key"].iloc[0]), "two\nlines", "")
    page = study_page(data, [], {})
    assert "The &lt;i&gt;first&lt;/i&gt; try" in page
    assert f"seed {data.trials['seed'].iloc[0]} · {data.trials['annotator'].iloc[0]}</h3>" in page
    assert ">two\nlines</p>" in page
    (tmp_path / data.name / "notes.json").write_text("[")
    assert "is not a complete file of notes" in study_page(data, [], {})


def test_the_exported_page_holds_the_tables_numbers(swept: Made, swept_files: tuple[Path, list[str]]) -> None:
    page = (swept_files[0] / "index.html").read_text("utf-8")
    data = swept.read()
    for value in tables.info(data, {}).tables["h (kernel_size)"]["average"]:
        assert f">{value:.1f} ± " in page or f">{value:.1f} [" in page
    assert "connect-src" not in page.partition("<style>")[0], "default-src 'none' covers it"
    assert cost.TITLE in page
