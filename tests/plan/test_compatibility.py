"""Settings that all trials of a study share are kept in its record and must not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tal_search.errors import InputError
from tal_search.plan.cells import Trial
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.plan import resolve
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tal_search.study import load_study
from tests.support.make_dataset import make_dataset
from tests.support.small_trials import make_result, make_spec

AXES: dict[str, list[Any]] = {"lambda_sep": [0.25, 1.0, 4.0]}


def open_record(folder: Path, settings: dict[str, Any], axes: dict[str, list[Any]] = AXES) -> Record:
    distributions = {axis: distribution_of(values) for axis, values in axes.items()}
    return Record.open(folder / "record.db", "grid", distributions, settings)


def settings(*overrides: str) -> dict[str, Any]:
    return fixed_settings(resolve(load_study("quickstart", [*overrides])))


BEGUN = {"method": "backtal", "hyperparameters": {"beta_aff": 0.8, "tau": [1, 2]}, "plan": "planned"}


def test_a_study_begun_with_other_settings_is_refused_with_the_difference(tmp_path: Path) -> None:
    spec = make_spec(cell={"lambda_sep": 1.0})
    with open_record(tmp_path, BEGUN) as record:
        record.finish(
            Trial(cell=spec.cell, spec=spec, inference=spec.inference, annotation_seconds=48.0),
            make_result(spec),
            cached=False,
        )
    open_record(tmp_path, json.loads(json.dumps(BEGUN))).close()
    changed = {**BEGUN, "hyperparameters": {"beta_aff": 0.6, "tau": [1, 2], "extra": None, "more": "x"}}
    with pytest.raises(InputError) as raised:
        open_record(tmp_path, changed)
    assert raised.value.problems == (
        f"{tmp_path / 'record.db'}: the study grid was started with other settings (hyperparameters.beta_aff was 0.8, "
        'is 0.6; hyperparameters.more was null, is "x"); restore them, or start a study of another name with '
        "study.fork=NAME (equal trials are reused)",
    )
    with open_record(tmp_path, BEGUN, {"lambda_sep": [0.125, 8.0], "dropout": [0.1, 0.5]}) as record:
        assert list(record.finished()) == [spec.key], "nothing was changed by the refusal; axes may be widened"


@pytest.mark.parametrize(
    ("override", "difference"),
    [
        ("hyperparameters.beta_aff=.6", "hyperparameters.beta_aff was 0.8, is 0.6"),
        ("inference.nms=.4", "inference.nms was 0.55, is 0.4"),
        ("protocol.selection=holdout", 'protocol.selection was "last", is "holdout"'),
        ("resources.precision=bf16", 'precision was "float32", is "bf16"'),
        ("dataset.snippets=99", "dataset.snippets was 100, is 99"),
        ("dataset.simulation.noise=.3", "dataset.content was "),
    ],
)
def test_settings_that_all_trials_share_must_not_change(tmp_path: Path, override: str, difference: str) -> None:
    open_record(tmp_path, settings()).close()
    with pytest.raises(InputError, match=r"started with other settings .*study\.fork=NAME") as raised:
        open_record(tmp_path, settings(override))
    assert difference in raised.value.problems[0]


def test_a_plan_may_be_widened_repeated_and_moved(tmp_path: Path) -> None:
    open_record(tmp_path, settings()).close()
    overrides = [
        "search.axes.lambda_sep=[.125,.25,4]", "search.axes.inference.nms=[.3]", "search.repeats.seeds=[0,1,2]",
        "search.repeats.annotators=[A2]", "search.plan=grid", "search.repeats.until={interval:1}", "budget.trials=3",
        "resources.backend=inline", "resources.cpus_per_trial=2", "accept_code_change=true", "description=other",
    ]  # fmt: skip
    for override in (*([one] for one in overrides), overrides):
        assert {**settings(*override), "clicks": None} == {**settings(), "clicks": None}, override
    with open_record(tmp_path, settings(*overrides)) as record:
        assert record.finished() == {}


def test_the_clicks_of_an_annotator_cannot_change_but_annotators_may_join(tmp_path: Path) -> None:
    for clicks in ({"A1": "x"}, {"A2": "y"}, {"A1": "x", "A2": "y"}):
        open_record(tmp_path, {**BEGUN, "clicks": clicks}).close()
    with pytest.raises(InputError, match=r"started with other settings \(clicks\.A2 was \"y\", is \"z\"\)"):
        open_record(tmp_path, {**BEGUN, "clicks": {"A2": "z"}})


SAMPLER = ["search.plan=sampler", "~search.axes", "search.space={lambda_sep:{low:.5,high:2}}", "budget.trials=8"]


def test_a_sampler_keeps_its_space_and_its_settings() -> None:
    begun = settings(*SAMPLER)
    assert settings(*SAMPLER, "budget.trials=16", "budget.minutes=3") == begun
    for override in (
        "search.space.lambda_sep.high=4", "search.sampler=tpe", "search.sampler.seed=1", "search.pruner=median",
        "search.objectives=[parameters]", "search.repeats.seeds=[0]", "hyperparameters.beta_aff=.6",
    ):  # fmt: skip
        assert settings(*SAMPLER, override) != begun, override


def test_another_code_version_is_refused_unless_it_is_accepted(tmp_path: Path) -> None:
    begun = settings(*SAMPLER)
    open_record(tmp_path, {**begun, "code_version": "older"}).close()
    with pytest.raises(InputError, match=f'code_version was "older", is "{begun["code_version"]}"'):
        open_record(tmp_path, begun)
    open_record(tmp_path, settings(*SAMPLER, "accept_code_change=true")).close()
    assert "code_version" not in settings(), "a plan compares keys instead"


def test_data_that_moved_is_the_same_data(tmp_path: Path) -> None:
    roots = [f"dataset.root={make_dataset(tmp_path / name)}" for name in ("here", "there")]
    here, there = (settings("dataset.source=features", root) for root in roots)
    assert here == there
    assert settings("dataset.source=auto") == settings()


def test_settings_of_cases_are_those_that_version_0_3_recorded(tmp_path: Path) -> None:
    """A field that came later counts only where it is set."""
    recorded = {
        "method", "code_version", "hyperparameters", "inference", "fit_inference", "snippets", "clicks_fraction",
        "clicks_per_minute", "videos",
    }  # fmt: skip
    text = "description: d\nmethod: backtal\ndataset: {{source: simulated}}\nsearch:\n  plan: cases\n  cases: {}\n"
    for cases, later in (
        ("{A: {method: backtal}, B: {method: backtal, clicks_fraction: 0.5}}", set[str]()),
        ("{A: {method: asl, supervision: {instances: 0.5}}, B: {method: asl}}", {"supervision"}),
    ):
        (tmp_path / "old.yaml").write_text(text.format(cases))
        of_cases = fixed_settings(resolve(load_study("old", [f"runs={tmp_path}"], tmp_path)))["cases"]
        assert isinstance(of_cases, dict)
        assert set(of_cases["A"]) == recorded | later
        assert set(of_cases["B"]) == recorded


CROPS = "dataset.sampling={training:{kind:crop,lengths:[30,60]},test:{kind:native}}"


def test_sampling_counts_only_where_it_is_not_that_of_earlier_versions(tmp_path: Path) -> None:
    begun = settings()
    assert "sampling" not in begun["dataset"], "records of earlier versions continue"
    assert settings("dataset.sampling.training.kind=rescale") == begun
    changed = settings(CROPS)
    assert changed["dataset"]["sampling"]["training"] == {"kind": "crop", "lengths": [30, 60]}
    open_record(tmp_path, begun).close()
    with pytest.raises(InputError, match=r"started with other settings .*dataset\.sampling"):
        open_record(tmp_path, changed)


def test_the_sampling_of_a_case_counts_likewise() -> None:
    cases = "search={plan:cases,cases:{all:{method:basnet},drawn:{method:basnet,preset:release}}}"
    found = settings(cases, "~hyperparameters", "~search.axes")["cases"]
    assert "sampling" not in found["all"]
    assert found["drawn"]["sampling"] == {"training": {"kind": "random_perturbed"}, "test": {"kind": "uniform"}}
