"""Preview of a study: counts, and a time estimated from finished trials."""

from __future__ import annotations

import pytest

from tal_search.plan.plan import Plan
from tal_search.plan.preview import Preview, preview, sampler_sentence
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec, setting_name
from tests.support.small_plans import planned


def finish(plan: Plan, count: int, seconds: float) -> None:
    """Write what a finished fit leaves, for the first fits of a plan; two of its seconds went into scoring."""
    for spec in plan.fits[:count]:
        folder = TrialFolder.of(plan.study.runs, spec.key)
        folder.write_spec(spec)
        result = TrialResult(
            key=spec.key, selected_epoch=1, tiou=(0.5,), mAP=(0.3,), holdout_mAP=None, best_on_test_epoch=1,
            best_on_test_mAP=0.3, detections=1, parameters=1, seconds=seconds - 2, scoring_seconds=2.0,
        )  # fmt: skip
        folder.write_result(result)


def score(plan: Plan, spec: TrialSpec, count: int) -> None:
    """Write the scores of a fit's first wanted inference settings."""
    scored = {"mAP": [0.2], "holdout_mAP": None, "detections": 1}
    content = {setting_name(inference): {"inference": inference, **scored} for inference in spec.settings[:count]}
    TrialFolder.of(plan.study.runs, spec.key).write_settings(content)


def test_preview_counts_and_estimates(tmp_path):
    plan = planned("quickstart", f"runs={tmp_path}", "backend=inline")
    assert preview(plan) == Preview(
        cells=5, repeats=1, trials=5, cached=0, inference_only=0, groups=5, to_train=5, seconds=None
    )
    assert not any(tmp_path.iterdir()), "a preview writes nothing"
    finish(plan, 2, seconds=7.0)
    (tmp_path / "trials" / "broken").mkdir()
    (tmp_path / "trials" / "broken" / "result.json").write_text("{")
    found = preview(plan)
    assert found[:-2] == (5, 1, 5, 2, 0, 5, 3)
    assert found.damaged == (), "a folder that no fit of the study has"
    assert found.seconds == pytest.approx(21.0)
    two = preview(planned("quickstart", f"runs={tmp_path}", "resources.concurrent_trials=2"))
    assert two.seconds == pytest.approx(10.5)
    longer = preview(planned("quickstart", f"runs={tmp_path}", "backend=inline", "hyperparameters.epochs=40"))
    assert (longer.cached, longer.to_train) == (0, 5)
    assert longer.seconds == pytest.approx(5 * 14.0)
    assert preview(planned("quickstart", f"runs={tmp_path}", "dataset.snippets=50")).seconds is None
    finish(plan, 5, seconds=7.0)
    assert preview(plan) == (5, 1, 5, 5, 0, 5, 0, 0.0, ())


def test_inference_cells_are_counted_apart_and_cost_no_time(tmp_path):
    axes = "search.axes={inference.nms:[.3,.4,.7],lambda_sep:[.5,2],inference.outer_margin:[.1]}"
    plan = planned(
        "quickstart", "search.plan=grid", "~search.axes.kernel_size", axes, f"runs={tmp_path}", "backend=inline"
    )
    assert preview(plan) == (7, 1, 7, 0, 0, 3, 3, None, ()), "six, and the centre, which they leave out"
    finish(plan, 1, seconds=8.0)
    assert preview(plan) == (7, 1, 7, 1, 0, 3, 2, pytest.approx(16.0), ())
    finish(plan, 2, seconds=8.0)
    assert preview(plan) == (7, 1, 7, 1, 3, 3, 1, pytest.approx(8.0), ()), "no cell is at the preset's settings"
    score(plan, plan.fits[1], 2)
    assert preview(plan) == (7, 1, 7, 3, 1, 3, 1, pytest.approx(8.0), ())
    finish(plan, 3, seconds=8.0)
    assert preview(plan) == (7, 1, 7, 3, 4, 3, 0, 0.0, ())
    for spec in plan.fits[1:]:
        score(plan, spec, 3)
    assert preview(plan) == (7, 1, 7, 7, 0, 3, 0, 0.0, ())


def test_another_study_over_the_same_cells_is_cached(tmp_path):
    finish(planned("quickstart", f"runs={tmp_path}"), 5, seconds=7.0)
    wider = planned(
        "quickstart", f"runs={tmp_path}", "study.fork=wider", "backend=inline", "search.repeats.seeds=[0,1]",
        "search.axes.kernel_size=[1,5,7]",
    )  # fmt: skip
    assert preview(wider) == (6, 2, 12, 5, 0, 12, 7, pytest.approx(49.0), ())


def test_a_sampler_is_previewed_by_its_budget(tmp_path):
    space = ["search.plan=sampler", "~search.axes", "search.space={lambda_sep:{low:.5,high:2}}", f"runs={tmp_path}"]
    plan = planned("quickstart", *space, "budget.trials=6", "search.repeats.seeds=[0,1]", "backend=inline")
    assert sampler_sentence(plan) == (
        "quickstart: qmc proposes cells of 2 trials (seeds x annotators) over lambda_sep; budget: 6 trials in all; "
        "estimated time: unknown until a first trial is recorded"
    )
    finish(planned("quickstart", f"runs={tmp_path}"), 1, seconds=30.0)
    assert sampler_sentence(plan).endswith("estimated time: 3.0 min for all of them")
    endless = planned("quickstart", *space, "budget.minutes=90")
    assert "budget: 90 minutes a run; estimated time: unknown" in sampler_sentence(endless)


def test_time_is_not_estimated_from_trials_of_another_sampling(tmp_path):
    finish(planned("quickstart", f"runs={tmp_path}", "backend=inline"), 2, seconds=7.0)
    native = "dataset.sampling={training:{kind:native},test:{kind:native}}"
    plan = planned("quickstart", f"runs={tmp_path}", "backend=inline", native)
    assert preview(plan).seconds is None
    finish(plan, 1, seconds=9.0)
    assert preview(plan).seconds == pytest.approx(4 * 9.0)
