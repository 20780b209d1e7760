"""Scores by class and length against the evaluator, and the files that keep them."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tal_dashboards.data.group_cache import FOLDER, Groups, kept
from tal_dashboards.data.group_scores import groups_of, scores_by, trials_read
from tal_dashboards.data.inference_settings import detections_at
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import breakdown
from tal_search.localization.inference import Inference
from tal_search.metrics.average_precision import score
from tal_search.metrics.error_profile import error_profile
from tests.support.small_dashboards import Made


def groups(value: float) -> Groups:
    return Groups({"a": value}, {"XS": value})


def test_a_file_is_read_again_and_computed_anew_where_it_is_damaged_or_of_other_content(tmp_path: Path) -> None:
    path, made, paths = tmp_path / "one.json", [], itertools.count()

    def compute() -> Groups:
        made.append(len(made))
        return groups(float(len(made)))

    def from_file(of: str) -> Groups:
        """At a path that is not in memory."""
        folder = tmp_path / f"{FOLDER} {next(paths)}"
        folder.mkdir()
        if path.exists():
            shutil.copy(path, folder / path.name)
        found = kept(folder / path.name, {"content": of}, compute)
        assert [file.name for file in folder.iterdir()] == [path.name], "nothing is left beside it"
        shutil.copy(folder / path.name, path)
        return found

    assert from_file("first") == from_file("first") == groups(1.0)
    assert from_file("second") == from_file("second") == groups(2.0)
    whole = path.read_text()
    damaged = [whole[:-9], "[]", "null", '{"of": 1}', whole.replace("2.0", "NaN"), whole.replace("2.0", '"x"'), ""]
    for place, text in enumerate(damaged):
        path.write_text(text)
        assert from_file("second") == groups(3.0 + place), text
        assert from_file("second") == groups(3.0 + place)


def test_where_no_file_can_be_written_it_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("not a folder")
    made = iter([groups(1.0), groups(2.0)])
    found = [kept(tmp_path / FOLDER / "one.json", {}, lambda: next(made)) for _ in range(2)]
    assert found == [groups(1.0)] * 2
    assert [file.name for file in tmp_path.iterdir()] == [FOLDER]


def at_own_settings(data: StudyData) -> StudyData:
    """The study of its fits alone, as each scored itself."""
    fits = data.trials.drop_duplicates("key", ignore_index=True)
    return replace(data, trials=fits.assign(id=fits["key"]), inference=data.fit_inference)


def test_scores_are_those_of_the_evaluator_and_of_the_error_profile(swept: Made, grid: Made) -> None:
    """Of settings that activations are scored with, and of fits at their own."""
    for data, axis in ((grid.read(), "inference.nms"), (at_own_settings(swept.read()), "lambda_sep")):
        trials = trials_read(data, axis)
        by = {way: scores_by(data, trials, way) for way in ("class", "length")}
        for label, row in trials.iloc[::5].iterrows():
            own = data.spec(row["key"]).inference
            settings = {**data.inference, "nms": row["inference.nms"]} if "-" in row["id"] else own
            inference = Inference(**settings)
            truth, detections = data.truth(row["key"]), detections_at(data, row["key"], inference)
            wanted = score(truth, detections, (0.5,), subset="test").per_class
            assert by["class"].loc[label].to_dict() == pytest.approx({name: 100 * ap for name, (ap,) in wanted.items()})
            assert "-" not in row["id"] or by["class"].loc[label].mean() == pytest.approx(row["mAP@0.5"])
            profile = error_profile(truth, detections, subset="test").buckets["length"]
            known = {one.name: 100 * one.normalized_mAP for one in profile if one.normalized_mAP is not None}
            assert by["length"].loc[label].to_dict() == pytest.approx(known)
        found = groups_of(data, trials, "length")
        assert [one.name for one in found] == list(known)
        assert sum(one.instances for one in found) == len(truth.label)
        assert {one.name: one.instances for one in groups_of(data, trials, "class")} == {
            name: int((truth.label == place).sum()) for place, name in enumerate(truth.classes)
        }


def test_scores_are_kept_of_each_trial_and_other_detections_are_left_out(swept: Made, tmp_path: Path) -> None:
    shutil.copytree(swept.runs / swept.name, tmp_path / "runs" / swept.name)
    shutil.rmtree(tmp_path / "runs" / swept.name / FOLDER, ignore_errors=True)
    shutil.copytree(swept.runs / "trials", tmp_path / "runs" / "trials")
    data = at_own_settings(StudyReader(tmp_path / "runs", swept.name)())
    trials, kept_in = trials_read(data, "kernel_size"), tmp_path / "runs" / swept.name / FOLDER
    first = scores_by(data, trials, "length")
    assert len(list(kept_in.iterdir())) == len(trials)
    other, gone = (data.folder(key).detections for key in trials["key"].iloc[:2])
    other.write_text(json.dumps({**json.loads(other.read_text()), "results": {}}))
    gone.unlink()
    again = scores_by(data, trials, "length")
    assert again.index.tolist() == trials.index[2:].tolist(), "neither a file that was edited nor one that is gone"
    assert again.equals(first.loc[again.index])
    part = breakdown.info(data, {"breakdown-axis": "kernel_size", "breakdown-by": "length"}).parts[0]
    assert (part.read, part.unread, part.finished) == (len(trials) - 2, 2, len(data.done))
    assert "2 trials have no readable detections." in breakdown.caption(part)


def test_of_many_trials_the_axis_and_those_nearest_to_the_centre_are_read(
    small_study: StudyData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_dashboards.data.group_scores.MOST_TRIALS", 12)
    found, done = trials_read(small_study, "lambda_sep"), small_study.done
    assert found.index.is_monotonic_increasing
    assert set(found.index) >= set(done.index[small_study.is_centre(done, free=("lambda_sep",))])
    rest = found[~small_study.is_centre(found, free=("lambda_sep",))]
    assert len(found) == 12
    assert small_study.is_centre(rest, free=("inference.nms",)).all(), "the others are off in both axes"
