"""Problems that show once the dataset of a study is found: one sentence each, with the place of the key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tal_search.data.features.cache import convert
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.methods.basnet import BaSNet
from tal_search.plan.plan import resolve
from tal_search.plan.plan_problems import (
    cost_problems,
    ends,
    narrowest,
    repeat_problems,
    threshold_problems,
    unread_budgets,
)
from tal_search.study import Study, load_study
from tests.support.make_dataset import found
from tests.support.paths import ROOT, STUDIES
from tests.support.small_plans import planned
from tests.support.study_files import load

SAMPLER = ["search.plan=sampler", "~search.axes", "budget.trials=8"]
SPACE = "search.space={lambda_sep:{low:.5,high:2},affinity:[true,false]}"
THRESHOLDS = "search.space={inference.activation_low:{low:.1,high:.4},inference.activation_high:{low:.3,high:.9}}"


def study(*overrides: str) -> Study:
    return load_study("quickstart", overrides, STUDIES)


@pytest.mark.parametrize(
    ("overrides", "annotators", "problem"),
    [
        ((*SAMPLER, SPACE, "search.repeats.seeds=[0,1,2]"), 3, "budget.trials is 8, but one cell has 9 trials"),
        ((*SAMPLER, SPACE, "search.repeats.seeds=[0,1]"), 3, ""),
        (("search.repeats.until={interval:1,at_most:5}",), 2, ""),
        (
            ("search.repeats.until={interval:1,at_most:5}", "search.repeats.seeds=[0,1,2,3,4]"), 1,
            "search.repeats.until.at_most is 5, but a cell has 5 repeats (seeds x annotators); give more",
        ),
    ],
)  # fmt: skip
def test_repeats_must_suffice(overrides: Sequence[str], annotators: int, problem: str) -> None:
    if "until" in overrides[0]:
        overrides = ("search.repeats.seeds=[0]", *overrides)
    found = repeat_problems(study(*overrides), annotators)
    assert len(found) == bool(problem)
    assert all(problem in sentence for sentence in found)


def test_an_empty_range_of_thresholds_is_reported_once() -> None:
    cells = [({}, Inference(activation_low=0.5, activation_high=0.4))] * 2
    (problem,) = threshold_problems(study(), cells)
    assert problem.endswith("activation_low is 0.5 and inference.activation_high is 0.4; the first must be smaller")
    assert threshold_problems(study(), [({}, Inference())]) == []


def test_a_space_is_tried_at_its_ends_and_at_its_narrowest_thresholds() -> None:
    assert list(ends(study(*SAMPLER, SPACE))) == [
        {"lambda_sep": 0.5}, {"lambda_sep": 2.0}, {"affinity": True}, {"affinity": False},
    ]  # fmt: skip
    wide = study(*SAMPLER, THRESHOLDS.replace("high:.4", "high:.2"))
    assert narrowest(wide) == {"inference.activation_low": 0.2, "inference.activation_high": 0.3}
    with pytest.raises(InputError, match=r"activation_low is 0\.4 and inference\.activation_high is 0\.3"):
        planned("quickstart", *SAMPLER, THRESHOLDS)


UNREAD = "search.axes={{supervision.{}:[0.5,1.0]}}"  # after "~search.axes"
OFF = "hyperparameters={frame_weight: 0, lambda_sep: 0, beta_aff: 0}"


@pytest.mark.parametrize("kind", ["background_clicks", "videos"])
def test_a_budget_that_cells_read_is_an_axis(kind: str) -> None:
    plan = planned("quickstart", "~search.axes", UNREAD.format(kind))
    assert unread_budgets(plan.study, [plan.reference]) == []
    assert [cell[f"supervision.{kind}"] for cell in plan.cells] == [1.0, 0.5]


@pytest.mark.parametrize("section", ["axes", "space"])
def test_a_budget_that_no_cell_reads_is_one_sentence_with_its_place(section: str) -> None:
    key = f"search.{section}.supervision.background_clicks"
    wanted = ["~search.axes", UNREAD.format("background_clicks")]
    if section == "space":
        wanted = [*SAMPLER, "search.space={supervision.background_clicks:{low:0.1,high:1.0}}"]
    with pytest.raises(InputError) as raised:
        planned("quickstart", OFF, *wanted)
    (problem,) = raised.value.problems
    assert problem == (
        f"command line: {wanted[-1]}: {key} is given, but with these settings no cell reads background clicks; remove "
        "it, or give the losses on them a weight"
    )


def test_a_budget_that_one_cell_reads_is_no_problem() -> None:
    """Its loss has no weight at the centre, but one in another cell."""
    axes = "search.axes={supervision.background_clicks:[0.5,1.0],lambda_sep:[0.0,1.0]}"
    plan = planned("quickstart", OFF, "~search.axes", axes, "search.plan=grid")
    assert len(plan.cells) == 4


def test_the_cost_of_the_training_set_is_an_objective_only_where_it_is_known() -> None:
    known = study(*SAMPLER, SPACE, "search.objectives=[mAP,annotation_total]")
    assert cost_problems(known, 3600.0) == []
    assert cost_problems(study(), None) == []
    assert cost_problems(study(*SAMPLER, SPACE, "search.objectives=[mAP,annotation_seconds]"), None) == []
    (problem,) = cost_problems(known, None)
    assert problem == (
        "command line: search.objectives=[mAP,annotation_total]: search.objectives.annotation_total needs the "
        "duration of every training video, and the ground truth lacks some; add them there"
    )


def test_a_share_that_its_case_does_not_read_is_one_sentence() -> None:
    cases = "search.cases={a:{method:basnet},b:{method:basnet,supervision:{action_clicks:0.5}}}"
    with pytest.raises(InputError) as raised:
        planned("method_comparison", "~search.cases", cases)
    assert [problem.partition(": search.cases.b")[2] for problem in raised.value.problems] == [
        ".supervision.action_clicks is given, but with these settings basnet reads no action clicks; remove it, or "
        "give the losses on them a weight"
    ]
    weighted = cases.replace("basnet,supervision", "basnet,hyperparameters:{action_weight:1},supervision")
    assert len(planned("method_comparison", "~search.cases", weighted).cells) == 2


CONSTANT, FINAL = "hyperparameters.schedule=constant", "search.axes.final_rate=[0,.1]"
UNREAD_RATE = "but schedule is constant, which does not fall; give schedule cosine or one_cycle, or remove it"
CASES = ["search.plan=cases", "~search.axes", "search.cases.a={method: backtal}"]


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ((CONSTANT, "hyperparameters.final_rate=.1"), "hyperparameters.final_rate is 0.1"),
        ((CONSTANT, FINAL), "search.axes.final_rate is 0.1"),
        ((CONSTANT, FINAL, "search.axes.schedule=[constant,cosine]"), "search.axes.final_rate is 0.1"),
        ((CONSTANT, *SAMPLER, "search.space={final_rate:{low:0,high:.5}}"), "search.space.final_rate is 0.5"),
        (
            (*CASES, "search.cases.b={method: asl, hyperparameters: {schedule: constant, final_rate: .2}}"),
            "search.cases.b.hyperparameters.final_rate is 0.2",
        ),
    ],
)  # fmt: skip
def test_an_end_of_a_constant_rate_is_refused(overrides: Sequence[str], key: str) -> None:
    with pytest.raises(InputError) as raised:
        planned("quickstart", *overrides)
    (sentence,) = raised.value.problems
    assert sentence.endswith(f": {key}, {UNREAD_RATE}")


@pytest.mark.parametrize(
    "overrides",
    [
        ("hyperparameters.schedule=cosine", "hyperparameters.final_rate=.1"),
        (CONSTANT, "hyperparameters.final_rate=0"),
        ("hyperparameters.schedule=one_cycle", FINAL),
        (CONSTANT, FINAL, "search.axes.schedule=[constant,cosine]", "search.plan=grid"),
        (CONSTANT, *SAMPLER, "search.space={schedule:[constant,cosine],final_rate:{low:0,high:.5}}"),
        (*CASES, "search.cases.b={method: asl, hyperparameters: {schedule: cosine, final_rate: .2}}"),
    ],
)
def test_an_end_that_some_cell_reaches_is_allowed(overrides: Sequence[str]) -> None:
    planned("quickstart", *overrides)


def test_every_option_of_optimisation_is_an_axis_with_cells_of_their_own() -> None:
    axes = ["optimizer=[adamw]", "schedule=[one_cycle]", "warm_up=[0,1/7]", "clip_norm=[1]", "ema_decay=[0.999]"]
    overrides = ["hyperparameters.schedule=cosine", "~search.axes", "search.axes.final_rate=[.1]"]
    plan = planned("quickstart", *overrides, *[f"search.axes.{axis}" for axis in axes])
    assert len(plan.cells) == len(plan.fits) == 8
    changed = [{axis: value for axis, value in cell.items() if value != plan.cells[0][axis]} for cell in plan.cells]
    expected: list[dict[str, object]] = [
        {}, {"final_rate": 0.1}, {"optimizer": "adamw"}, {"schedule": "one_cycle"}, {"warm_up": 0.0},
        {"warm_up": 1 / 7}, {"clip_norm": 1.0}, {"ema_decay": 0.999},
    ]  # fmt: skip
    assert changed == expected


def test_the_recipe_in_the_documents_is_a_cell(tmp_path: Path) -> None:
    documented = (ROOT / "docs" / "studies.md").read_text("utf-8")
    (recipe_text,) = re.findall(r"\n    (hyperparameters: \{epochs: 35.*?\})\n", documented, re.DOTALL)
    data = "dataset: {name: thumos14, source: simulated}\nsearch: {repeats: {seeds: [0]}}\n"
    (spec,) = resolve(load(tmp_path, f"method: asl\n{data}{recipe_text}\n")).fits
    recipe = {
        "epochs": 35, "learning_rate": 1e-4, "schedule": "cosine", "warm_up": 5 / 35, "final_rate": 1e-4,
        "optimizer": "adamw", "weight_decay": 0.05, "clip_norm": 1.0, "ema_decay": 0.999,
    }  # fmt: skip
    assert {name: spec.hyperparameters[name] for name in recipe} == recipe


def test_sampling_that_contradicts_itself_or_the_method_is_named_with_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crop, at_test = "dataset.sampling.training={kind: crop}", "dataset.sampling.test={kind: native, most: 7}"
    with pytest.raises(InputError) as raised:
        planned("quickstart", "method=basnet", crop, at_test, "~hyperparameters", "~search.axes")
    assert raised.value.problems == (
        f"command line: {crop}: dataset.sampling.training.kind is crop, but there are no lengths; "
        "give lengths: [SNIPPETS, ...]",
        f"command line: {at_test}: dataset.sampling.test.most is given, but only uniform sampling at test and native "
        "in training read it; remove it",
    )
    monkeypatch.setattr(BaSNet, "samplings", ("rescale", "uniform"))
    with pytest.raises(InputError, match=r"is crop, which basnet cannot train with; give rescale or uniform$"):
        planned("quickstart", "method=basnet", crop, "~hyperparameters", "~search.axes")


def test_converted_features_cannot_be_sampled(root: Path, tmp_path: Path) -> None:
    convert(found(root), tmp_path / "made", [])
    given = [f"dataset.root={tmp_path / 'made'}", "dataset.source=features", "dataset.snippets=40"]
    words = f"dataset.sampling.test needs the stored snippets, and {tmp_path / 'made'} was converted to 40; give the "
    with pytest.raises(InputError, match=re.escape(words)):
        planned("quickstart", *given, "dataset.sampling.test.kind=native")
    planned("quickstart", *given, "dataset.sampling.test.kind=rescale")
