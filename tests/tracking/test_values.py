"""Names and values of a trial in a copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_search.tracking.values import (
    LONGEST_NAME,
    Naming,
    cost_values,
    dashboard_link,
    mAP_curve,
    progress_values,
    result_values,
    trial_files,
    trial_params,
)
from tal_search.trial.folder import TrialFolder
from tal_search.types import NO_ANNOTATOR
from tests.support.folded_study import folded_plan
from tests.support.small_trials import make_result, make_spec


def test_the_holdout_is_kept_apart_and_no_leaky_number_is_made_up() -> None:
    result = replace(
        make_result(make_spec()), holdout_mAP=(0.3, 0.2, 0.1), best_on_test_epoch=None, best_on_test_mAP=None
    )
    values = result_values(result)
    assert values["selected_holdout_mAP/0.5"] == 20
    assert values["selected_holdout_mAP/average"] == pytest.approx(20)
    assert not any("leaky" in name for name in values)


def test_progress_is_the_objective_and_the_best_so_far() -> None:
    result = make_result(make_spec())
    value = 100 * result.at(0.5)
    assert progress_values(result, 0.0) == {"progress/mAP/0.5": value, "progress/best/mAP/0.5": value}
    assert progress_values(result, 99.0)["progress/best/mAP/0.5"] == 99.0


def test_costs_are_those_of_the_trial_and_an_unknown_total_is_left_out(tmp_path: Path) -> None:
    plan = folded_plan(tmp_path)
    trial = plan.trials[0]
    assert trial.annotation_total is not None
    for one in plan.trials[:3]:  # each fold costs what it trains on
        known = {"annotation_seconds": one.annotation_seconds, "annotation_total": one.annotation_total}
        assert cost_values(plan, one.spec) == known
    unknown = replace(trial.spec, dataset=replace(trial.spec.dataset, ground_truth="none.json", fingerprint="other"))
    assert set(cost_values(plan, unknown)) == {"annotation_seconds"}


def test_parameters_are_complete_and_prefixed_as_in_a_study() -> None:
    params = trial_params(make_spec(cell={"lambda_sep": 0.5}))
    assert params.items() >= {"lambda_sep": "0.5", "inference.nms": "0.5", "protocol.selection": "last"}.items()
    assert params.items() >= {"dataset.snippets": "10", "precision": "fp32"}.items()


def test_a_failed_trial_keeps_its_log_alone() -> None:
    folder = TrialFolder(Path("t"))
    assert trial_files(folder, "failed") == trial_files(folder, "pruned") == (folder.log,)
    assert folder.scored_settings in trial_files(folder, "finished")


def test_the_curve_is_in_percent() -> None:
    result = make_result(make_spec())
    lines = mAP_curve(result).splitlines()
    assert lines[:2] == ["tIoU,mAP (%)", f"{result.tiou[0]},{100 * result.mAP[0]}"]
    assert len(lines) == 1 + len(result.tiou)


def test_a_link_is_a_path_where_the_dashboards_are_unknown() -> None:
    assert dashboard_link("a b", "k") == "/a%20b/?view=study&trial=k"
    assert dashboard_link("a", address="http://host/") == "http://host/a/?view=study"


@pytest.mark.parametrize(
    ("cell", "several", "name"),
    [
        ({"k_ratio": 1 / 8, "kernel_size": 3}, False, "centre · seed 0"),
        ({"k_ratio": 1 / 6, "kernel_size": 3}, False, "k_ratio=1/6 · seed 0"),
        ({"k_ratio": 1 / 6, "kernel_size": 5}, True, "k_ratio=1/6 kernel_size=5 · a · seed 0"),
        ({"case": "+ affinity"}, True, "+ affinity · a · seed 0"),
    ],
)
def test_a_run_is_named_by_what_differs_from_the_centre(cell: dict[str, Any], several: bool, name: str) -> None:
    naming = Naming(tuple(cell), {"k_ratio": 1 / 8, "kernel_size": 3}, several)
    assert naming(make_spec(cell=cell)) == name
    assert naming(make_spec(cell=cell, annotator=NO_ANNOTATOR)) == name.replace(" · a", "")


def test_a_long_name_keeps_its_seed() -> None:
    name = Naming()(make_spec(cell={f"axis_{number:02}": 0.123 for number in range(40)}))
    assert len(name) == LONGEST_NAME
    assert name.endswith("… · seed 0")


def test_the_sampling_of_videos_is_a_parameter_where_they_are_not_rescaled() -> None:
    spec = make_spec()
    assert "dataset.sampling" not in trial_params(spec)
    native = {"training": {"kind": "native"}}
    sampled = replace(spec, dataset=replace(spec.dataset, sampling=native))
    assert trial_params(sampled)["dataset.sampling"] == '{"training":{"kind":"native"}}'
