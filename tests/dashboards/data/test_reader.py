"""What the dashboards read is what the record and the trial folders hold, and reading changes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import cost
from tal_search.errors import InputError
from tal_search.plan.plan import Plan
from tal_search.record.description import study_metadata
from tests.support.postgres_server import postgres_server
from tests.support.small_dashboards import AXES, Made, make_study
from tests.support.small_plans import cell_spec, plan_of, run


def files(folder: Path) -> dict[Path, str]:
    """Content of every file, but for SQLite's files of readers and writers beside one another."""
    names = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in names}


def test_a_study_is_read_as_its_driver_left_it(swept: Made) -> None:
    before = files(swept.runs)
    data = swept.read()
    assert files(swept.runs) == before
    assert (data.name, data.simulated, data.plan) == ("thumos_single", True, "one_at_a_time")
    assert data.axes == {"lambda_sep": "λ", "kernel_size": "h", "inference.nms": "tIoU_NMS"}
    assert data.centre == swept.plan.centre_cell
    assert data.planned == len(data.trials) == len(swept.outcome.finished) == 12
    assert set(data.trials["state"]) == {"done"}
    for row in data.trials.to_dict("records"):
        trial, result = swept.outcome.trials[row["id"]], swept.outcome.finished[row["id"]]
        assert {axis: row[axis] for axis in data.axes} == trial.cell
        assert (row["seed"], row["annotator"], row["key"]) == (*trial.repeat, trial.spec.key)
        assert [row[f"mAP@{tiou:g}"] for tiou in result.tiou] == pytest.approx([100 * value for value in result.mAP])
        assert row["average"] == pytest.approx(100 * result.average(0.3, 0.7))
        assert (row["parameters"], row["detections"]) == (result.parameters, result.detections)
        assert math.isnan(row["holdout"])
    assert data.trials["mAP@0.3"].max() > 0, "the study learned nothing, so equal zeros would show nothing"


def test_trials_of_an_axis_that_was_dropped_are_no_repeats_of_others(swept: Made, tmp_path: Path) -> None:
    shutil.copytree(swept.runs, tmp_path / "runs")
    fewer = make_study(
        tmp_path / "runs", "thumos_single", AXES, "~search.axes.inference.nms", "~search.axes.kernel_size"
    )
    assert fewer.outcome.cached == len(fewer.outcome.finished) == 6
    data = fewer.read()
    assert list(data.axes) == ["lambda_sep"]
    assert set(data.trials["id"]) == set(fewer.outcome.finished)
    assert data.planned == len(data.trials) == 6


def fresh(reader: StudyReader) -> StudyData:
    return StudyReader(reader.runs, reader.name)()


def test_a_growing_study_is_read_again_only_where_it_grew(tmp_path: Path) -> None:
    run(plan_of(tmp_path, [cell_spec(0)]))
    reader = StudyReader(tmp_path, "grid")
    first = reader()
    assert reader() is first
    run(plan_of(tmp_path, [cell_spec(0), cell_spec(1), cell_spec(0, 2.0, raises="it broke")]))
    second = reader()
    assert second.version != first.version
    assert len(first.trials) == 1
    pd.testing.assert_frame_equal(second.trials, fresh(reader).trials)
    assert second.trials["state"].tolist() == ["done", "done", "failed"]
    assert "it broke" in second.trials["reason"].iloc[2]
    assert second.planned == 3


def test_of_several_attempts_the_newest_counts(tmp_path: Path) -> None:
    once = cell_spec(0, raises="it broke")
    for _ in range(2):
        run(plan_of(tmp_path, [once]))
    found = StudyReader(tmp_path, "grid")().trials
    assert found["number"].tolist() == [1]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A study of one trial, which failed, with a copy in MLflow."""
    plan = plan_of(tmp_path_factory.mktemp("tracked"), [cell_spec(0, raises="it broke")], mlflow=True)
    run(plan)
    return plan


def test_epochs_of_a_fit_that_failed_are_those_it_reported(tracked: Plan) -> None:
    data = StudyReader(tracked.study.runs, "grid")()
    assert data.epochs(data.trials["key"].iloc[0])["loss/total"].tolist() == [1.0]
    assert data.trials["mlflow"].iloc[0].startswith("http://127.0.0.1:5000/#/runs/")


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        ("http://tracking.example:8080/", "http://tracking.example:8080"),
        ("https://me:s3cret@tracking.example", "https://tracking.example"),
        ("sqlite:///elsewhere.db", "http://127.0.0.1:5000"),
    ],
)
def test_trials_lead_to_the_page_of_the_mlflow_that_holds_them(
    tracked: Plan, tmp_path: Path, uri: str, page: str
) -> None:
    shutil.copytree(tracked.study.runs / "grid", tmp_path / "grid")
    tracking = dataclasses.replace(tracked.study.tracking, uri=uri)
    noted = study_metadata(dataclasses.replace(tracked, study=dataclasses.replace(tracked.study, tracking=tracking)))
    with closing(sqlite3.connect(tmp_path / "grid" / "record.db")) as database, database:
        database.execute("UPDATE study_user_attributes SET value_json = ? WHERE key = 'about'", (json.dumps(noted),))
    (link,) = StudyReader(tmp_path, "grid")().trials["mlflow"]
    assert link.startswith(f"{page}/#/runs/")


def test_published_systems_are_those_that_the_study_noted_or_else_the_datasets(tracked: Plan, tmp_path: Path) -> None:
    """A user's own file is not beside the dashboards; records of earlier versions noted nothing."""
    shutil.copytree(tracked.study.runs / "grid", tmp_path / "grid")
    own = {"system": "Own", "supervision": "video labels", "mAP": {"0.5": 9.0}, "source": "a page", "seconds": 4.0}
    noted = study_metadata(tracked)
    assert {system["system"] for system in noted["published"]} >= {"BackTAL", "SF-Net"}  # type: ignore[attr-defined]
    for published, names in (([own], {"Own"}), (None, {system["system"] for system in noted["published"]})):  # type: ignore[attr-defined]
        content = {name: value for name, value in {**noted, "published": published}.items() if value is not None}
        with closing(sqlite3.connect(tmp_path / "grid" / "record.db")) as database, database:
            text = json.dumps(content)
            database.execute("UPDATE study_user_attributes SET value_json = ? WHERE key = 'about'", (text,))
        data = StudyReader(tmp_path, "grid")()
        assert set(data.published) == names
        assert set(cost.info(data, {}).published["system"]) <= names


def test_a_record_in_postgresql_reads_as_one_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tmp_path / "file", [cell_spec(0), cell_spec(1, 2.0)])
    run(plan)
    with postgres_server() as server:
        monkeypatch.setenv("PGPASSWORD", server.password)
        study = dataclasses.replace(plan.study, record=server.url, runs=tmp_path / "database")
        run(dataclasses.replace(plan, study=study))
        elsewhere = StudyReader(tmp_path / "database", "grid")().trials
    times = ["started", "ended"]
    here = StudyReader(tmp_path / "file", "grid")().trials
    pd.testing.assert_frame_equal(elsewhere.drop(columns=times), here.drop(columns=times))
    assert (elsewhere["ended"] >= elsewhere["started"]).all()


def test_a_study_that_is_not_there_is_one_sentence(tmp_path: Path, swept: Made) -> None:
    with pytest.raises(InputError, match="no study was run there yet; make it: tal-search run study=grid"):
        StudyReader(tmp_path, "grid")
    with pytest.raises(InputError, match=r"studies there: .*thumos_single"):
        StudyReader(swept.runs, "none")
    with pytest.raises(InputError, match="a name has letters, digits, - and _"):
        StudyReader(swept.runs, "../thumos_single")


def test_a_record_that_is_none_is_one_sentence(tmp_path: Path, swept: Made) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match="the record cannot be read"):
        StudyReader(tmp_path, "broken")()
    (tmp_path / "broken" / "record.db").write_bytes(b"")
    with pytest.raises(InputError, match=r"no such table.*; move record.db away"):
        StudyReader(tmp_path, "broken")()
    shutil.copytree(swept.runs / swept.name, tmp_path / "renamed")
    with pytest.raises(InputError, match="has no study named renamed"):
        StudyReader(tmp_path, "renamed")()
