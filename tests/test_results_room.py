"""Every mean, interval and verdict comes from `tal_search.results`, which knows frames alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from small_dashboards import Made

from tal_dashboards.views import modules, tables
from tal_search.cli.report import write_comparison, write_tables
from tal_search.plan.plan_frame import supervision_words
from tal_search.results.case_comparison import comparison_info
from tal_search.results.published import BEST_ON_TEST
from tal_search.results.sensitivity import sensitivity_info
from tal_search.results.statistics import WITHIN

RESULTS = ROOT / "tal_search" / "results"
BELOW = {"tal_search.errors", "tal_search.types", "tal_search.fields", "tal_search.results"}
OUTSIDE = {"pandas", "numpy", "scipy"}
INFERENTIAL = re.compile(
    r"stdtrit?\b|scipy\.stats|from scipy import stats|\bp?stdev\b|\.(?:std|sem|var)\(|half_width|p_value|\bholm\b"
)
ALLOWED = {
    "tal_search/data/simulation/drawn_timeline.py": "makes drawn lengths normal; no result of a trial",
}


def imported(path: Path) -> set[str]:
    """Modules that a file imports, by their whole names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(node.module or "")
    return found


def allowed(module: str) -> bool:
    room = ".".join(module.split(".")[:2])
    return room in BELOW or module.split(".")[0] in OUTSIDE | sys.stdlib_module_names


def interval_lines(root: Path) -> dict[str, list[str]]:
    """Lines that compute spread, intervals or tests, by file; outside the rooms of results and of the metrics."""
    found: dict[str, list[str]] = {}
    for path in sorted(path for room in ("tal_search", "dashboards") for path in (root / room).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(("tal_search/results/", "tal_search/metrics/")):
            lines = [line.strip() for line in path.read_text("utf-8").splitlines() if INFERENTIAL.search(line)]
            found |= {name: lines} if lines else {}
    return found


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.py")), ids=lambda path: path.stem)
def test_results_know_no_room_above_them(path: Path) -> None:
    assert [module for module in imported(path) if not allowed(module)] == []


def test_a_room_above_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def f():\n    from tal_search.plan.plan import Plan\n    import sqlalchemy\n")
    assert sorted(module for module in imported(tmp_path / "one.py") if not allowed(module)) == [
        "sqlalchemy", "tal_search.plan.plan"
    ]  # fmt: skip


def test_no_other_room_computes_an_interval_or_a_verdict() -> None:
    assert interval_lines(ROOT).keys() == ALLOWED.keys(), "ask tal_search.results, or say here why not"


def test_an_interval_elsewhere_would_be_seen(tmp_path: Path) -> None:
    for name in ("dashboards/views/one.py", "tal_search/plan/two.py", "tal_search/results/three.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("spread = 1.96 * frame['mAP'].std()\n")
    assert list(interval_lines(tmp_path)) == ["dashboards/views/one.py", "tal_search/plan/two.py"]


def test_published_numbers_are_read_without_pandas() -> None:
    code = (
        "import sys, tal_search.results.published as p; p.published_systems('thumos14'); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def same(mine: pd.Series[float], theirs: pd.Series[float]) -> bool:
    """To the last digit; NaN where the other is."""
    return mine.reset_index(drop=True).equals(theirs.reset_index(drop=True).astype(mine.dtype))


def test_the_runs_file_and_the_dashboards_agree_to_the_last_digit(swept: Made, tmp_path: Path) -> None:
    data = swept.read()
    written = pd.read_csv(write_tables(swept.plan, swept.frame, sensitivity_info(swept.frame), tmp_path)[0])
    shown = tables.info(data, {}).tables
    assert list(shown) == list(dict.fromkeys(written["table"]))
    for title, mine in shown.items():
        theirs = written[written["table"] == title]
        off = theirs["verdict"] != "centre"
        columns = [f"mAP@{tiou:g}" for tiou in data.tiou] + ["average"]
        named = {name: name.replace("average", f"average {data.average_over}") for name in columns}
        for name, column in named.items():
            assert same(mine[name], theirs[column])
            assert same(mine[name + WITHIN], theirs[name + WITHIN])
        for ending in ("", WITHIN):
            assert same(mine[f"Δ {data.score}{ending}"], theirs["delta" + ending].where(off))
        assert mine["verdict"].tolist() == theirs["verdict"].tolist()
        assert same(mine[f"paper {data.score}"], theirs["paper"])
        assert ("paper selection" in mine) == theirs["paper"].notna().any()
    assert written["mAP@0.3"].max() > 0, "equal zeros would show nothing"


def test_cases_agree_to_the_last_digit(compared: Made, tmp_path: Path) -> None:
    found = comparison_info(compared.frame, supervision_words(compared.plan))
    theirs = pd.read_csv(write_comparison(compared.plan, found, tmp_path)[0])
    (mine,) = modules.info(compared.read(), {}).compared.values()
    assert mine["case"].tolist() == theirs["case"].tolist()
    names = {"annotation s/min": "seconds", "mAP@0.5": "mAP@0.5", "Δ mAP@0.5": "delta", "paper mAP@0.5": "paper@0.5"}
    for name, column in names.items():
        assert same(mine[name], theirs[column])
    assert same(mine[f"mAP@0.5{WITHIN}"], theirs[f"mAP@0.5{WITHIN}"])
    assert same(mine[f"Δ mAP@0.5{WITHIN}"], theirs[f"delta{WITHIN}"])
    assert mine["verdict"].tolist() == theirs["verdict"].tolist()
    assert mine["paper selection"].tolist() == theirs["paper selection"].tolist() == [BEST_ON_TEST] * 3


def test_a_grid_agrees_cell_by_cell_whatever_the_order(grid: Made, tmp_path: Path) -> None:
    study = grid
    terminal = {table.title: table.rows for table in sensitivity_info(study.frame)}
    page = tables.info(study.read(), {}).tables
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
