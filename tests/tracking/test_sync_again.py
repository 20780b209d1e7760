"""A study that is copied to MLflow again: nothing twice, and what is missing is added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tal_search.trial.trial_types import TrialSpec
from tests.support.mlflow_contents import (
    contents,
    finished,
    finished_folder,
    full_trial,
    local,
    runs_of,
    track,
    without_mlflow,
)
from tests.support.small_trials import make_result, make_spec


def test_settings_scored_later_are_added_to_the_run_of_their_fit(tmp_path: Path) -> None:
    spec = make_spec()
    settings = {"0000000001": {"inference": {"nms": 0.3}, "mAP": [0.1, 0.1, 0.1], "holdout_mAP": None, "detections": 3}}
    for step in range(3):  # without settings, with one, with two
        folder = finished_folder(tmp_path, spec)
        if step:
            settings[f"000000000{step}"] = settings["0000000001"]
            folder.write_settings(settings)
        copy_again(tmp_path, [spec])
        (run,) = contents(local(tmp_path), tmp_path)
        kept = run["files"].get("settings.json")
        assert len(json.loads(kept)["settings"] if kept else {}) == step
        assert run["metrics"]["mAP/average"] == [(3, pytest.approx(100 * sum(make_result(spec).mAP) / 3))]


def test_a_copy_made_anew_or_unknown_here_is_asked_what_it_holds(tmp_path: Path) -> None:
    runs, specs = tmp_path / "runs", [make_spec(seed) for seed in range(3)]
    tracker = track(runs)
    for spec in specs:
        full_trial(tracker, spec, runs)
    assert tracker.close() is None
    first = contents(local(runs), tmp_path)
    noted = runs / "grid" / "mlflow.jsonl"
    for change in (noted.unlink, lambda: noted.write_text('{"parent": "another"}\n')):
        change()
        copy_again(runs, specs)
        assert contents(local(runs), tmp_path) == first
    place = without_mlflow(runs)
    copy_again(place, specs)
    assert contents(local(place), tmp_path) == first


def copy_again(runs: Path, specs: list[TrialSpec]) -> None:
    tracker = track(runs)
    for spec in specs:
        tracker.start(spec)
        tracker.finish(spec, finished(spec))
    assert tracker.close() is None


def test_a_run_that_is_not_noted_to_be_over_is_found_again(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    full_trial(tracker, spec, tmp_path)
    assert tracker.close() is None
    first = contents(local(tmp_path), tmp_path)
    noted = tmp_path / "grid" / "mlflow.jsonl"
    lines = [line for line in noted.read_text().splitlines() if line]
    noted.write_text("\n".join([*lines[:2], lines[2][:20]]))  # the driver died while it wrote the last line
    copy_again(tmp_path, [spec])
    assert contents(local(tmp_path), tmp_path) == first


def test_a_copy_in_fractions_is_set_aside_and_the_study_copied_anew(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.finish(spec, finished(spec))
    assert tracker.close() is None
    client, (old, (child,)) = local(tmp_path), runs_of(local(tmp_path))
    client.delete_tag(old.info.run_id, "unit.mAP")  # as earlier versions left it
    second = track(tmp_path)
    second.finish(spec, finished(spec))
    assert second.close() is None
    found = client.search_runs([old.info.experiment_id])
    (new,) = (run for run in found if run.data.tags["role"] == "study")
    (whole,) = (run for run in found if run.data.tags.get("mlflow.parentRunId") == new.info.run_id)
    aside = client.get_run(old.info.run_id)
    assert (aside.info.run_name, aside.data.tags["unit.mAP"]) == ("grid (older copy, mAP from 0 to 1)", "fraction")
    assert (whole.info.status, whole.data.metrics) == ("FINISHED", child.data.metrics)
    third = track(tmp_path)
    third.finish(spec, finished(spec))
    assert third.close() is None
    assert len(client.search_runs([old.info.experiment_id])) == len(found) == 4
