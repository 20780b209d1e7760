"""docs/notebook.ipynb: its cells run, and what they show now is what the file shows."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.paths import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN")
MOST_BYTES = 300_000


def kept() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def kinds(notebook: Any) -> list[list[tuple[str, ...]]]:
    """Of each cell, its outputs by what they hold."""
    return [
        [(output.output_type, *sorted(output.get("data", {}))) for output in cell.get("outputs", [])]
        for cell in notebook.cells
    ]


def columns(notebook: Any) -> list[list[str]]:
    """Of each table, its columns."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    return [re.findall(r"<th[^>]*>([^<]*)</th>", page.partition("<tbody>")[0]) for page in pages if "<thead>" in page]


@pytest.mark.slow
def test_its_cells_show_what_the_file_shows(tmp_path: Path) -> None:
    made, shown = runpy.run_path(str(ROOT / "docs" / "make_notebook.py")), kept()
    assert all("image/png" in output.data for output in made["figures"](shown))
    for output in made["figures"](shown):
        del output.data["image/png"]  # drawn from the rest
    run = made["executed"](tmp_path)
    assert [cell.source for cell in run.cells] == [cell.source for cell in shown.cells]
    assert kinds(run) == kinds(shown)
    assert columns(run) == columns(shown)
    assert len(made["figures"](run)) == 2


def test_it_is_small_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < MOST_BYTES
    assert re.findall(r"(?:/tmp|/root|/home|/work|/Users)/\S*", text) == []
    assert "simulated" in text


def test_its_figures_need_no_script_of_plotly() -> None:
    outputs = [output for cell in kept().cells for output in cell.get("outputs", [])]
    assert not any("plotly.js" in str(output.get("data", {}).get("text/html", "")) for output in outputs)
    assert [output for output in outputs if output.output_type == "error"] == []
