"""One ranking, to the last digit, from the terminal's files, the page, the notebook, the export and MLflow."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

import tal_search
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.export.export import export_study
from tal_dashboards.views import overview as view
from tal_search.cli.main import main
from tal_search.results.overview import as_json, ranking_table
from tests.support.mlflow_contents import local, runs_of
from tests.support.small_dashboards import SMALL

NUMBERS = ("effect", "lowest", "lowest low", "lowest high", "highest", "highest low", "highest high", "p adjusted")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A runs folder with a study that was run by the command, and what the command printed."""
    runs = tmp_path_factory.mktemp("ranking") / "runs"
    with pytest.MonkeyPatch.context() as patch, tmp_path_factory.mktemp("out").joinpath("text").open("w+") as out:
        patch.setattr("sys.stdout", out)
        patch.setenv("COLUMNS", "80")
        settings = [one for one in SMALL if not one.startswith("tracking.")]
        axes = "search.axes={lambda_sep: [0.25], kernel_size: [1], inference.nms: [0.3]}"
        assert main(["run", "study=thumos_single", *settings, axes, f"runs={runs}"]) == 0
        out.seek(0)
        return runs, out.read()


def test_the_ranking_is_the_same_everywhere(said: tuple[Path, str], tmp_path: Path) -> None:
    runs, printed = said
    name = "thumos_single"
    written = json.loads((runs / name / "overview.json").read_text())
    page = view.info(StudyReader(runs, name)(), {}).found
    assert json.loads(json.dumps(as_json(page))) == written, "the page and the file of the run"
    assert len(page.ranking) == 3

    notebook = tal_search.load(name, runs=runs).ranking
    pd.testing.assert_frame_equal(notebook, page.ranking, check_exact=True)

    export_study(runs, name, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "overview.json").read_text()) == written
    file = pd.read_csv(tmp_path / "out" / "tables" / "overview-ranking.csv", float_precision=None)
    for column in NUMBERS:
        assert file[column].astype(float).tolist() == pytest.approx(
            page.ranking[column].tolist(), rel=0, abs=0, nan_ok=True
        )

    parent, _ = runs_of(local(runs), name)
    for row in written["ranking"]:
        assert parent.data.metrics[f"effect/{row['name']}"] == row["effect"]
        assert parent.data.metrics[f"p_adjusted/{row['name']}"] == row["p adjusted"]
        assert parent.data.tags[f"verdict/{row['name']}"] == row["verdict"]

    symbols = tuple(f"{row['symbol']} {row['name']}" for row in written["ranking"])
    lines = [line for line in printed.splitlines() if line.startswith(symbols)]
    assert [line.split()[1] for line in lines] == [row["name"] for row in written["ranking"]], "in one order"
    for line, row in zip(lines, written["ranking"], strict=True):
        assert f"{row['lowest']:+.1f} to {row['highest']:+.1f}".replace("-", "−") in line
    shown = ranking_table(page)["effect (%)"].tolist()
    assert shown == [row["effect"] for row in written["ranking"]]
    assert not any(math.isnan(one) for one in shown)


def test_the_figure_of_the_overview_lies_beside_the_study_for_mlflow(said: tuple[Path, str]) -> None:
    runs, _ = said
    client = local(runs)
    parent, _ = runs_of(client, "thumos_single")
    kept = {one.path for one in client.list_artifacts(parent.info.run_id)}
    assert kept >= {"overview.html", "overview.json", "ranking.csv", "sensitivity.csv", "sensitivity.md"}
