"""Every mean, interval and verdict comes from `tal_search.results`, which knows frames alone."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.export import export_study
from tal_dashboards.export.names import file_name
from tal_dashboards.views import modules, tables
from tal_search.cli.report import axes_text, write_comparison, write_overview, write_tables
from tal_search.plan.plan_frame import supervision_words
from tal_search.results.case_comparison import comparison_info
from tal_search.results.cell_table import cells
from tal_search.results.overview import as_json, overview, ranking_table
from tal_search.results.published import BEST_ON_TEST
from tal_search.results.sensitivity import sensitivity_info
from tal_search.results.statistics import HIGH, LOW
from tal_search.text.csv_text import quoted
from tests.support.paths import ROOT
from tests.support.small_dashboards import Made

RESULTS = ROOT / "tal_search" / "results"
BELOW = {"tal_search.errors", "tal_search.types", "tal_search.fields", "tal_search.text", "tal_search.results"}
OUTSIDE = {"pandas", "numpy", "scipy"}
FORESTS = "tal_search/results/search/forest.py"  # the one module that may ask scikit-learn, once a forest is wanted
INFERENTIAL = re.compile(
    r"stdtrit?\b|\b(?:ndtri|fdtrc?i?|chdtr[ci]?)\b|scipy\.stats|from scipy import stats|\bp?stdev\b|\.(?:std|sem|var)\("
    r"|\b(?:p_value|holm|dunnett|contrasts|modelled|moderated|components|residuals|verdicts)\("
    r"|results\.uncertainty\b"
)
# A file, and why.
ALLOWED = {"tal_search/data/hapt/windows.py": "deviations of sensor values within a window, which are features"}


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
    """Published numbers are in the definitions of datasets, which are types without code."""
    if module == "tal_search.data.definition":
        return True
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


@pytest.mark.parametrize("path", sorted(RESULTS.rglob("*.py")), ids=lambda path: path.stem)
def test_results_know_no_room_above_them(path: Path) -> None:
    other = sorted(module for module in imported(path) if not allowed(module))
    assert other == (["sklearn", "sklearn.tree"] if path.relative_to(ROOT).as_posix() == FORESTS else [])


def test_results_are_imported_without_scikit_learn() -> None:
    code = "import sys, tal_search.results.search.ablation_path; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_room_above_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def f():\n    from tal_search.plan.plan import Plan\n    import sqlalchemy\n")
    assert sorted(module for module in imported(tmp_path / "one.py") if not allowed(module)) == [
        "sqlalchemy", "tal_search.plan.plan"
    ]  # fmt: skip


def test_no_other_room_computes_an_interval_or_a_verdict() -> None:
    assert interval_lines(ROOT).keys() == ALLOWED.keys(), "ask tal_search.results, or say here why not"


@pytest.mark.parametrize(
    "line",
    [
        "spread = 1.96 * frame['mAP'].std()",
        "half = stdtrit(degrees, 0.975) * error",
        "p = fdtrc(2, degrees, size)",
        "from scipy import stats",
        "adjusted = dunnett(p, shared, degrees)",
        "from tal_search.results.uncertainty.contrasts import quantile",
        "said = verdicts(found, noise)",
    ],
)
def test_an_interval_elsewhere_would_be_seen(tmp_path: Path, line: str) -> None:
    for name in ("dashboards/views/one.py", "tal_search/plan/two.py", "tal_search/results/three.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(line + "\n")
    assert list(interval_lines(tmp_path)) == ["dashboards/views/one.py", "tal_search/plan/two.py"]


def test_published_numbers_are_read_without_pandas() -> None:
    code = (
        "import sys, tal_search.results.published as p; p.published_cells('backtal', 'thumos14'); "
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def same(mine: pd.Series[Any], theirs: pd.Series[Any]) -> bool:
    """To the last digit; NaN where the other is, and no text where a file has none."""
    if not pd.api.types.is_numeric_dtype(mine):
        return [*mine.astype(object).fillna("")] == [*theirs.astype(object).fillna("")]
    return mine.reset_index(drop=True).equals(theirs.reset_index(drop=True).astype(mine.dtype))


def shuffled(data: StudyData) -> StudyData:
    """As a record of several workers may have its trials."""
    return replace(data, trials=data.trials.sample(frac=1, random_state=0).reset_index(drop=True))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Made], Path]:
    """The folder of tables that `tal-search export` writes of a study; pictures need a browser that there is not."""

    @cache
    def of(study: str, runs: Path) -> Path:
        folder = tmp_path_factory.mktemp(study)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PATH", str(folder))
            patched.delenv("BROWSER_PATH", raising=False)
            export_study(runs, study, folder)
        return folder / "tables"

    return lambda study: of(study.name, study.runs)


@pytest.mark.parametrize("kind", ["swept", "grid"])
def test_the_runs_file_the_dashboards_and_the_export_agree_to_the_last_digit(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, exported: Callable[[Made], Path]
) -> None:
    study: Made = request.getfixturevalue(kind)
    data = shuffled(study.read())
    written = pd.read_csv(write_tables(study.plan, study.frame, sensitivity_info(study.frame), tmp_path)[0])
    files, shown = exported(study), tables.info(data, {}).tables
    assert list(shown) == list(dict.fromkeys(written["table"]))
    scores = [f"mAP@{tiou:g}" for tiou in data.tiou]
    names = {"n": "n", "verdict": "verdict", "needs": "needs", f"paper {data.score}": "paper"}
    for ending in ("", LOW, HIGH):
        names |= {name + ending: name + ending for name in scores}
        names |= {"average" + ending: ("average" if ending else f"average {data.average_over}") + ending}
        names |= {f"Δ {data.score}{ending}": f"delta{ending}"}
    for title, page in shown.items():
        keys = [axis for axis in data.axes if axis in page]
        theirs = written[written["table"] == title]
        theirs = theirs.assign(**{f"delta{ending}": theirs[f"delta{ending}"].where(theirs["verdict"] != "centre")
                                  for ending in ("", LOW, HIGH)})  # fmt: skip
        mine, theirs, file = (
            table.sort_values(keys, kind="stable").reset_index(drop=True)
            for table in (page, theirs, pd.read_csv(files / f"{file_name('tables', title)}.csv"))
        )
        assert len(mine) == len(theirs) == len(file) > 1
        for name, column in names.items():
            assert same(mine[name], theirs[column]), name
            assert same(mine[name], file[name]), name
        assert mine["mAP@0.3" + LOW].notna().all(), "three repeats have intervals"
        assert ("paper selection" in mine) == theirs["paper"].notna().any()
    assert written["mAP@0.3"].max() > 0, "equal zeros would show nothing"
    cells_of, rows = (cells(one).sort_values(list(data.axes)).reset_index(drop=True) for one in (data, study.frame))
    for name in ("delta", "delta" + LOW, "delta" + HIGH, "p", "p adjusted", "verdict", "needs", "mAP@0.5"):
        assert same(cells_of[name], rows[name]), name
    assert rows["p adjusted"].notna().sum() == len(rows) - 1
    assert {*rows["p adjusted"].dropna()} == {*written["p adjusted"].dropna()}


@pytest.mark.parametrize("kind", ["swept", "grid"])
def test_the_table_of_axes_is_the_same_everywhere(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, exported: Callable[[Made], Path]
) -> None:
    study: Made = request.getfixturevalue(kind)
    terminal, page = ranking_table(overview(study.frame)), tables.info(shuffled(study.read()), {}).axes
    file = pd.read_csv(exported(study) / f"{file_name('tables', 'axes')}.csv")
    assert len(terminal) == len(study.frame.axes)
    assert list(terminal) == list(page) == list(file)
    for name in terminal:
        assert same(page[name], terminal[name]), name
        read_back = file[name].astype(float) if str(name).startswith("best") else file[name]
        wanted = terminal[name].astype(float) if str(name).startswith("best") else terminal[name]
        assert same(wanted, read_back), name
    assert terminal["p"].notna().all()
    text = axes_text(study.frame)
    assert text is not None
    assert [row[0] for row in text.rows] == terminal["axis"].tolist()
    ranges = [row[text.heads.index("effect (%)")] for row in text.rows]
    assert ranges == [f"{value:.1f}" for value in terminal["effect (%)"]]
    assert [row[-2:] for row in text.rows] == terminal[["verdict", "needs"]].to_numpy().tolist()
    _, markdown = write_tables(study.plan, study.frame, sensitivity_info(study.frame), tmp_path)
    for row in text.rows:
        assert "| " + " | ".join(row) in markdown.read_text("utf-8").replace("  ", " ")


@pytest.mark.parametrize("kind", ["swept", "grid", "compared"])
def test_the_overview_is_exported_as_a_run_has_it(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, exported: Callable[[Made], Path]
) -> None:
    study: Made = request.getfixturevalue(kind)
    theirs = json.loads(write_overview(study.frame, tmp_path).read_text("utf-8"))
    mine = json.loads((exported(study).parent / "overview.json").read_text("utf-8"))
    assert mine == theirs == json.loads(json.dumps(as_json(overview(study.frame))))
    assert [row["effect"] for row in mine["ranking"]] == overview(study.frame).ranking["effect"].tolist()


def test_cases_agree_to_the_last_digit(compared: Made, tmp_path: Path, exported: Callable[[Made], Path]) -> None:
    found = comparison_info(compared.frame, supervision_words(compared.plan))
    theirs = pd.read_csv(write_comparison(compared.plan, found, tmp_path)[0])
    ((title, mine),) = modules.info(compared.read(), {}).compared.items()
    file = pd.read_csv(exported(compared) / f"{file_name('modules', title)}.csv")
    same_names = ("case", "n", "verdict", "needs")
    names = {"annotation s/min": "seconds", "paper mAP@0.5": "paper@0.5", **{name: name for name in same_names}}
    for ending in ("", LOW, HIGH):
        average = ("average" if ending else f"average {found.average_over}") + ending
        names |= {f"mAP@0.5{ending}": f"mAP@0.5{ending}", f"average{ending}": average}
        names |= {f"Δ mAP@0.5{ending}": f"delta{ending}"}
    for name, column in names.items():
        assert same(mine[name].map(quoted), theirs[column]), name
        assert same(mine[name].map(quoted), file[name]), name
    assert mine["mAP@0.5" + LOW].notna().all()
    assert mine["paper selection"].tolist() == theirs["paper selection"].tolist() == [BEST_ON_TEST] * 3
