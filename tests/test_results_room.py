"""Results are computed in one room, from frames alone, so that every reader shows the same numbers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from small_dashboards import Made

from tal_dashboards.views.tables import info
from tal_search.cli.report import write_tables
from tal_search.results.sensitivity import sensitivity_info

RESULTS = ROOT / "tal_search" / "results"
CODE = [*(ROOT / "tal_search").rglob("*.py"), *(ROOT / "dashboards").rglob("*.py")]
# What an interval, a spread or a verdict is made with.
STATISTICS = re.compile(r"\bstdtrit?\b|scipy\.(stats|special)|\bt\.ppf\b|\bstdev\b|\.(std|sem|var)\(|\bpvariance\b")
ELSEWHERE = {
    "tal_search/data/simulation/drawn_timeline.py": "scales what it draws to its own spread",
}


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name for name in names if name.startswith(("tal_", "torch", "optuna", "ray", "mlflow", "plotly", "dash"))}


def test_the_room_knows_no_plan_no_record_and_no_file_of_a_trial() -> None:
    allowed = ("tal_search.results.", "tal_search.types", "tal_search.errors", "tal_search.fields")
    files = sorted(RESULTS.glob("*.py"))
    assert len(files) > 5
    assert {file.name: [name for name in imported(file) if not name.startswith(allowed)] for file in files} == {
        file.name: [] for file in files
    }


def test_no_other_room_computes_a_spread_an_interval_or_a_verdict() -> None:
    found = {}
    for file in CODE:
        if RESULTS not in file.parents and ROOT / "tal_search" / "metrics" not in file.parents:
            lines = [line.strip() for line in file.read_text("utf-8").splitlines() if STATISTICS.search(line)]
            if lines:
                found[file.relative_to(ROOT).as_posix()] = lines
    assert found.keys() == ELSEWHERE.keys(), found
    assert any(STATISTICS.search(file.read_text("utf-8")) for file in RESULTS.glob("*.py")), "or nothing is looked for"


@pytest.mark.parametrize("made", ["swept", "grid"])
def test_terminal_file_and_dashboards_show_the_same_numbers_to_the_last_digit(
    made: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    study: Made = request.getfixturevalue(made)
    terminal = {table.title: table.rows for table in sensitivity_info(study.frame)}
    page = info(study.read(), {}).tables
    csv, _ = write_tables(study.plan, study.frame, sensitivity_info(study.frame), tmp_path)
    written = pd.read_csv(csv)
    assert terminal.keys() == page.keys() == set(written["table"])
    axes = list(study.frame.axes)
    for title, shown in page.items():
        keys = [axis for axis in axes if axis in shown]
        rows = terminal[title].set_index(keys).sort_index()
        kept = written[written["table"] == title].set_index(keys).sort_index()
        shown = shown.set_index(keys).sort_index()
        assert len(rows) == len(kept) == len(shown) > 1
        for name in shown.filter(regex=r"^(n|mAP@|average)").columns:
            column = f"average {study.frame.average_over}" if name == "average" else name
            assert shown[name].tolist() == pytest.approx(rows[name].tolist(), rel=0, abs=0, nan_ok=True), name
            assert kept[column].tolist() == pytest.approx(rows[name].tolist(), rel=0, abs=0, nan_ok=True), name
        assert shown["verdict"].tolist() == rows["verdict"].tolist() == kept["verdict"].tolist()
        off = rows["verdict"] != "centre"
        for ending in ("", " ±95%"):
            differences = shown[f"Δ {study.frame.score}{ending}"][off.to_numpy()].tolist()
            assert differences == pytest.approx(rows.loc[off, f"delta{ending}"].tolist(), rel=0, abs=0, nan_ok=True)
