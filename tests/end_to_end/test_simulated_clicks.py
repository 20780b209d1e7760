"""A study on simulated clicks says so wherever it shows numbers: console, tables, MLflow, pages, exports, Python."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

import tal_search
from tal_dashboards.app.components import heading
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.captions import table_heading
from tal_dashboards.export.export import export_study
from tal_dashboards.export.named_figures import named_figure
from tal_dashboards.home.cards import Cards
from tal_dashboards.home.front import standing_part
from tal_dashboards.views import cost, timeline
from tal_search.cli.commands.run import command
from tests.support.dashboard_parts import words
from tests.support.make_dataset import make_dataset

LABEL = "simulated clicks"


class Shown(NamedTuple):
    folder: Path
    preview: str
    console: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A study run and previewed on real features with drawn clicks."""
    folder = tmp_path_factory.mktemp("clicks")
    root = make_dataset(folder / "features")
    arguments = [
        "study=thumos_single", f"dataset.root={root}", "dataset.clickers={background: uniform, instead: true}",
        "dataset.snippets=40", "search.repeats={seeds: [0], annotators: [S1]}", "search.axes={lambda_sep: [0.5, 1]}",
        "hyperparameters.epochs=1", "resources.backend=inline", f"runs={folder / 'runs'}",
    ]  # fmt: skip
    texts = []
    for more in (["--preview"], []):
        with pytest.MonkeyPatch.context() as patch:
            texts.append(_printed([*arguments, *more], patch))
    return Shown(folder / "runs", *texts)


def _printed(arguments: list[str], patch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    patch.setenv("COLUMNS", "200")
    with contextlib.redirect_stdout(out):
        assert command(arguments) == 0
    return " ".join(out.getvalue().split())


@pytest.fixture
def data(shown: Shown) -> StudyData:
    return StudyReader(shown.folder, "thumos_single")()


def test_the_first_line_the_preview_and_the_tables(shown: Shown) -> None:
    for text in (shown.preview, shown.console):
        assert f"{LABEL} (background uniform) of S1 to S3 instead of real ones" in text.split(" thumos_single")[0]
    assert f"test videos; {LABEL}" in shown.console, "the title of a table"
    tables = [*(shown.folder / "thumos_single").glob("*.csv"), *(shown.folder / "thumos_single").glob("*.md")]
    assert {path.suffix for path in tables} == {".csv", ".md"}
    assert all(LABEL in path.read_text() for path in tables)


def test_mlflow(shown: Shown) -> None:
    with sqlite3.connect(shown.folder / "mlflow.db") as database:
        tags = database.execute("SELECT run_uuid FROM tags WHERE key = 'simulated' AND value = ?", [LABEL]).fetchall()
        runs = database.execute("SELECT run_uuid FROM runs").fetchall()
        (source,) = database.execute("SELECT dataset_source FROM datasets").fetchone()
    assert {*tags} == {*runs}
    assert '"clickers":{"background clicks":"uniform"}' in source


def test_pages(data: StudyData) -> None:
    assert (data.label, data.simulated) == (LABEL, False)
    assert LABEL in words(heading(data))
    page = words(cost.layout(data, {}))
    assert "Ours are trained on simulated clicks, counted like real ones." in page
    (figure,) = cost.figures(cost.info(data, {})).values()
    assert any(f"ours: {LABEL}; published: real clicks" in str(note.text) for note in figure.layout.annotations)
    video = data.truth(data.done["key"].iloc[0], "train").videos[0]
    clicked = timeline.info(data, {"timeline-video": video})
    assert clicked is not None
    assert len(clicked.clicks)
    assert "the simulated clicks of S1" in words(timeline.layout(data, {"timeline-video": video}))


@pytest.mark.parametrize(
    ("about", "label"),
    [
        ({"source": "features", "label": LABEL}, LABEL),
        ({"source": "features", "label": ""}, ""),
        ({"source": "simulated"}, "simulated data"),  # of an earlier version
        ({}, ""),
    ],
)
def test_the_list_of_studies(shown: Shown, about: dict[str, str], label: str) -> None:
    standing = Cards(shown.folder, lambda _: None).standing("thumos_single")
    assert standing.about["label"] == LABEL
    card = "".join(words(part) for part in standing_part(standing._replace(about=about), None))
    assert card.count("simulated") == bool(label)
    assert label in card


def test_exports(shown: Shown, data: StudyData, tmp_path: Path) -> None:
    assert LABEL in table_heading(data)
    export_study(shown.folder, "thumos_single", tmp_path / "out")
    pages = [*(tmp_path / "out").rglob("*.html")]
    assert pages
    assert all(f'<strong class="badge">{LABEL}</strong>' in page.read_text() for page in pages)
    latex = [*(tmp_path / "out").rglob("*.tex")]
    assert latex
    assert all(LABEL in path.read_text() for path in latex)
    assert all(named_figure(data, name, {}).layout.title.text == LABEL for name in ("overview", "timeline/timeline"))


def test_python(shown: Shown, data: StudyData) -> None:
    study = tal_search.load("thumos_single", shown.folder)
    assert (study.label, study.simulated) == (LABEL, False)
    assert f"({LABEL})" in study._repr_html_()
    assert f"thumos14 ({LABEL})" in repr(study)
