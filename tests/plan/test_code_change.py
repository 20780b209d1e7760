"""Finished trials of other code versions are used for the same experiment and no other."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_search.plan.code_change import trained_by_other_code
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import BACKGROUND_CLICKS
from tests.support.small_trials import make_result, make_spec


def keep(runs: Path, spec: TrialSpec, *, finished: bool = True, at: int = 1000) -> TrialFolder:
    """Write what a trial leaves; `at` is when it finished."""
    folder = TrialFolder.of(runs, spec.key)
    folder.write_spec(spec)
    if finished:
        folder.write_result(make_result(spec))
        os.utime(folder.path / "result.json", (at, at))
    return folder


def test_the_version_found_gives_the_key_of_the_folder(tmp_path: Path) -> None:
    spec = make_spec(3, cell={"lambda_sep": 1.0})
    old = keep(tmp_path, replace(spec, code_version="old"))
    found = trained_by_other_code(tmp_path, [spec, make_spec(4, cell={"lambda_sep": 1.0})])
    assert found == {spec.key: "old"}
    accepted = replace(spec, code_version=found[spec.key])
    assert TrialFolder.of(tmp_path, accepted.key) == old
    assert old.result() == make_result(accepted)


def test_the_newest_of_several_counts(tmp_path: Path) -> None:
    spec = make_spec()
    for version, at in (("c", 2000), ("a", 3000), ("b", 1000)):
        keep(tmp_path, replace(spec, code_version=version), at=at)
    assert trained_by_other_code(tmp_path, [spec, spec]) == {spec.key: "a"}


def test_a_trial_finished_by_this_code_needs_no_other(tmp_path: Path) -> None:
    spec = make_spec()
    keep(tmp_path, replace(spec, code_version="old"))
    own = keep(tmp_path, spec)
    assert trained_by_other_code(tmp_path, [spec]) == {}
    (own.path / "result.json").write_text("{")
    assert trained_by_other_code(tmp_path, [spec]) == {spec.key: "old"}


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1}, {"annotator": "b"}, {"method": "another"}, {"precision": "bf16"}, {"inference": {"nms": 0.4}},
        {"protocol": {"selection": "holdout"}}, {"hyperparameters": {"epochs": 4}},
        {"dataset": replace(make_spec().dataset, fingerprint="g")},
        {"dataset": replace(make_spec().dataset, snippets=11)},
        {"dataset": replace(make_spec().dataset, click_fingerprints={BACKGROUND_CLICKS: {"a": "new"}})},
    ],
)  # fmt: skip
def test_another_experiment_is_not_taken(other: dict[str, Any], tmp_path: Path) -> None:
    spec = make_spec()
    keep(tmp_path, replace(spec, code_version="old", **other))
    assert trained_by_other_code(tmp_path, [spec]) == {}


def test_changes_that_the_key_does_not_cover_are_no_difference(tmp_path: Path) -> None:
    spec = replace(make_spec(), settings=({"nms": 0.3},), cell={"seconds": 0.0})
    elsewhere = replace(spec.dataset, root="/elsewhere", description="in other words")
    keep(tmp_path, replace(spec, code_version="old", settings=(), cell={}, dataset=elsewhere))
    assert trained_by_other_code(tmp_path, [spec]) == {spec.key: "old"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"key": 1}', "null", "\x00\xff", '{"key": "k", "method": "backtal", "dataset": 3}']
)
def test_damaged_folders_are_left_out(text: str, tmp_path: Path) -> None:
    spec = make_spec()
    kept = keep(tmp_path, replace(spec, code_version="old"))
    for name in ("a", "b"):
        (tmp_path / "trials" / name).mkdir()
    (tmp_path / "trials" / "a" / "spec.json").write_text(text)
    (tmp_path / "trials" / "file").write_text(text)
    assert trained_by_other_code(tmp_path, [spec]) == {spec.key: "old"}
    (kept.path / "spec.json").write_text(text)
    assert trained_by_other_code(tmp_path, [spec]) == {}


def test_an_unfinished_a_changed_and_a_moved_folder_are_left_out(tmp_path: Path) -> None:
    spec = make_spec()
    keep(tmp_path, replace(spec, code_version="unfinished"), finished=False)
    moved = keep(tmp_path, replace(spec, code_version="moved"))
    moved.path.rename(moved.path.with_name("0" * 20))
    changed = keep(tmp_path, replace(spec, code_version="changed"))
    content = json.loads((changed.path / "spec.json").read_text())
    content["hyperparameters"]["epochs"] = float("nan")
    (changed.path / "spec.json").write_text(json.dumps(content))
    assert trained_by_other_code(tmp_path, [spec]) == {}


def test_no_trials_yet(tmp_path: Path) -> None:
    assert trained_by_other_code(tmp_path, [make_spec()]) == {}
