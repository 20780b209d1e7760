"""Cells and fits of a plan: each fit once, with every inference setting that its trials want."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.plan.cells import Trial, fits, split
from tal_search.plan.plan import Plan
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec, setting_name
from tests.support.small_plans import planned
from tests.support.small_trials import make_result, make_spec


def keys(plan: Plan) -> list[str]:
    """Of what is trained."""
    return [spec.key for spec in plan.fits]


def ids(plan: Plan) -> list[str]:
    return [trial.id for trial in plan.trials]


def test_keys_change_with_what_a_trial_is_and_with_nothing_else(tmp_path: Path) -> None:
    base = keys(planned("quickstart"))
    assert keys(planned("quickstart")) == base
    same = (
        "runs=elsewhere", "backend=inline", "resources.cpus_per_trial=2", "resources.device=cpu",
        "resources.retries=0", "description=other", "tracking.mlflow=false", f"dataset.root={tmp_path}",
        "budget.trials=3", "study.fork=other", "accept_code_change=true", "protocol.selection=last",
        "record=sqlite:///other.db", "search.repeats.until={interval:1}",
    )  # fmt: skip
    for override in same:
        other = planned("quickstart", override)
        assert (keys(other), ids(other)) == (base, base), override
    scored_again = ("inference.nms=.5", "search.axes.inference.nms=[.3,.7]", "search.axes.inference.overlap=[release]")
    for override in scored_again:
        other = planned("quickstart", override)
        assert keys(other) == base, override
        assert ids(other) != base, override
    others = (
        "search.repeats.seeds=[1]", "search.repeats.annotators=[A2]", "hyperparameters.tau_same=.4",
        "dataset.snippets=99", "dataset.simulation.noise=.3", "resources.precision=bf16", "protocol.tiou=0.5",
        "protocol.selection=holdout", "protocol.evaluate_every=4",
    )  # fmt: skip
    for override in others:
        other = planned("quickstart", override)
        assert not set(keys(other)) & set(base), override
        assert not set(ids(other)) & set(base), override


def test_inference_axes_change_inference_only_and_cost_no_fit():
    plan = planned("thumos_single", "search.axes={inference.nms:[.3,.7],tau_same:[.2]}")
    assert plan.cells == (
        {"inference.nms": 0.55, "tau_same": 0.5},
        {"inference.nms": 0.3, "tau_same": 0.5},
        {"inference.nms": 0.7, "tau_same": 0.5},
        {"inference.nms": 0.55, "tau_same": 0.2},
    )
    assert [trial.cell for trial in plan.trials] == list(plan.cells)
    assert [trial.inference["nms"] for trial in plan.trials] == [0.55, 0.3, 0.7, 0.55]
    assert [trial.spec.hyperparameters["tau_same"] for trial in plan.trials] == [0.5, 0.5, 0.5, 0.2]
    assert len(set(ids(plan))) == 4
    centre, other = plan.fits
    assert [trial.spec.key for trial in plan.trials] == [centre.key] * 3 + [other.key]
    assert [centre.cell, other.cell] == [{"tau_same": 0.5}, {"tau_same": 0.2}]
    assert centre.settings == ({**plan.inference, "nms": 0.3}, {**plan.inference, "nms": 0.7})
    assert other.settings == ()


HUNDREDS = (
    "search.plan=grid",
    "search.axes={inference.nms:[.3,.4,.55,.6,.7],inference.class_threshold:[.1,.15,.2,.25,.3],"
    "inference.outer_margin:[.1,.2,.25,.3,.4],inference.score_weight:[0,.2,.4],lambda_sep:[.5,1]}",
)


def test_a_grid_of_hundreds_of_inference_cells_has_one_fit_a_training_cell():
    plan = planned("thumos_single", *HUNDREDS, "search.repeats.seeds=[0,1]")
    assert (len(plan.cells), len(plan.trials), len(plan.fits)) == (750, 1500, 4)
    assert len(set(ids(plan))) == 1500
    alone = planned("thumos_single", "search.axes.lambda_sep=[.5]", "search.repeats.seeds=[0,1]")
    assert set(keys(plan)) == set(keys(alone)), "the fits are those of a study without inference axes"
    for spec in plan.fits:
        assert spec.inference == plan.fit_inference
        assert len(spec.settings) == 375 - 1, "the preset's own setting is what the fit is scored with"
        assert len({setting_name(inference) for inference in spec.settings}) == 374
        assert plan.fit_inference not in spec.settings
    named = {trial.id: (trial.spec.key, trial.inference) for trial in plan.trials}
    assert all((name == key) == (inference == plan.fit_inference) for name, (key, inference) in named.items())


def test_a_studied_operating_point_of_inference_is_scored_from_the_presets_fit():
    plain = planned("thumos_single")
    plan = planned("thumos_single", "inference.nms=.4")
    assert keys(plan) == keys(plain)
    assert ids(plan) != ids(plain)
    (trial,) = plan.trials
    assert trial.inference == plan.inference == {**plan.fit_inference, "nms": 0.4}
    assert trial.setting == setting_name(trial.inference)
    assert trial.id == f"{trial.spec.key}-{trial.setting}"
    assert plan.fits[0].settings == (plan.inference,)
    assert (plain.trials[0].setting, plain.trials[0].id) == (None, plain.fits[0].key)


def test_a_trial_of_any_cell_and_repeat():
    plan = planned("thumos_single", "search.axes={inference.nms:[.3],tau_same:[.2]}")
    trial = plan.trial({"inference.nms": 0.9, "tau_same": 0.7}, 5, "A2")
    assert trial.repeat == (trial.spec.seed, trial.spec.annotator) == (5, "A2")
    assert trial.spec.hyperparameters == {**plan.centre, "tau_same": 0.7}
    assert (trial.spec.cell, trial.inference) == ({"tau_same": 0.7}, {**plan.inference, "nms": 0.9})
    assert plan.trials[0] == plan.trial(plan.centre_cell, *plan.repeats[0])
    assert split({"tau": 1, "inference.nms": 2}) == ({"tau": 1}, {"nms": 2})


SETTINGS = {"nms": st.sampled_from([0.3, 0.5, 0.7]), "outer_margin": st.sampled_from([0.1, 0.2])}


@given(wanted=st.lists(st.tuples(st.integers(0, 2), st.fixed_dictionaries(SETTINGS)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_fits_are_each_key_once_with_every_wanted_setting_once(wanted):
    base = make_spec(0)
    own = {"nms": 0.5, "outer_margin": 0.2}
    trials = [
        Trial(
            cell={},
            spec=dataclasses.replace(base, seed=seed, inference=own),
            inference=inference,
            annotation_seconds=48.0,
        )
        for seed, inference in wanted
    ]
    found = fits(trials)
    assert [spec.seed for spec in found] == list(dict.fromkeys(seed for seed, _ in wanted))
    for spec in found:
        mine = [inference for seed, inference in wanted if seed == spec.seed and inference != own]
        assert list(spec.settings) == [value for number, value in enumerate(mine) if value not in mine[:number]]
        assert TrialSpec.from_json(json.loads(json.dumps(spec.to_json()))).settings == spec.settings
        assert spec.key == dataclasses.replace(spec, settings=()).key


def test_a_plan_without_the_fits_that_are_not_finished(tmp_path):
    plan = planned("quickstart", f"runs={tmp_path}", "search.axes.inference.nms=[.3,.7]")
    assert plan.with_finished_fits().trials == ()
    centre = plan.fits[0]
    TrialFolder.of(tmp_path, centre.key).write_result(make_result(centre))
    kept = plan.with_finished_fits()
    assert [spec.key for spec in kept.fits] == [centre.key]
    assert [trial.inference["nms"] for trial in kept.trials] == [0.55, 0.3, 0.7]
    assert (kept.cells, kept.centre_cell) == (plan.cells, plan.centre_cell)
