"""Plans on simulated clicks, and of methods that read none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.plan.data_check import check_data
from tal_search.plan.plan import Plan, resolve
from tal_search.study import load_study
from tal_search.types import NO_ANNOTATOR
from tests.support.study_files import load, problems

CLICKERS = "dataset.clickers={background: uniform, action: human, instead: true}"  # the features hold clicks too
AGAIN = "dataset.clickers.instead=true"
CASES = """\
search:
  plan: cases
  cases: {labels: {method: basnet}, background: {method: backtal}, action: {method: sfnet}}
"""


def bare(root: Path) -> Path:
    """The dataset without click files."""
    for path in root.glob("clicks_*"):
        path.unlink()
    return root


def planned(folder: Path, root: Path, text: str, *overrides: str) -> Plan:
    return resolve(load(folder, text, f"dataset.root={root}", "dataset.snippets=40", *overrides))


def without_clicks(root: Path, method: str) -> Plan:
    return planned(root.parent, root, f"method: {method}\n", "search.repeats.annotators=[A1,A2]")


@pytest.mark.parametrize("method", ["basnet", "asl"])
def test_a_method_that_reads_no_clicks_needs_no_click_file(root: Path, method: str) -> None:
    plan = without_clicks(bare(root), method)
    assert [trial.repeat for trial in plan.trials] == [(0, NO_ANNOTATOR)]
    assert (plan.repeats, plan.label) == ([(0, NO_ANNOTATOR)], "")
    check_data(plan)


def test_only_the_cases_that_read_clicks_need_them(root: Path) -> None:
    for path in root.glob("clicks_*"):
        path.rename(path.with_name(f"no_{path.name}"))
    with pytest.raises(InputError) as raised:
        planned(root.parent, root, CASES)
    (problem,) = raised.value.problems
    assert "background, action need background clicks and action clicks of one annotator" in problem
    assert "dataset.clickers.background and dataset.clickers.action=uniform" in problem
    only = planned(root.parent, root, CASES.replace(", background: {method: backtal}, action: {method: sfnet}", ""))
    assert only.annotators == (NO_ANNOTATOR,)
    mixed = planned(root.parent, root, CASES, CLICKERS)
    assert [trial.repeat[1] for trial in mixed.trials] == [NO_ANNOTATOR, *["S1", "S2", "S3"] * 2]
    assert mixed.label == "simulated clicks"
    check_data(mixed)


def test_simulated_clicks_are_part_of_a_trials_key(root: Path) -> None:
    bare(root)
    keys, versions = set(), set()
    for clicker in ("uniform", "gaussian", "human"):
        plan = planned(root.parent, root, "method: backtal\n", f"dataset.clickers.background={clicker}", AGAIN)
        assert plan.annotators == ("S1", "S2", "S3")
        keys |= {trial.spec.key for trial in plan.trials}
        versions.add(plan.trials[0].spec.code_version)
        assert all(trial.annotation_seconds > 0 for trial in plan.trials)
    assert (len(keys), len(versions)) == (9, 1)
    unread = planned(root.parent, root, "method: basnet\n", "dataset.clickers.background=uniform", AGAIN)
    assert (unread.label, unread.annotators) == ("", (NO_ANNOTATOR,))


def test_a_study_on_simulated_features_keeps_its_clickers() -> None:
    plan = resolve(load_study("quickstart", []))
    assert plan.annotators == ("A1",)
    assert (plan.dataset.clickers, plan.label) == ({}, "simulated data")


def test_settings_of_clickers_are_checked_with_all_others(tmp_path: Path) -> None:
    wrong = "dataset: {clickers: {background: unifrom, action: 3, annotators: 0, instaed: true}}\n"
    found = problems(tmp_path, wrong)
    assert len(found) == 4
    assert "did you mean 'uniform'?" in found[0] + found[1] + found[2] + found[3]
    assert any("clickers.annotators is 0" in problem for problem in found)
    assert any("instaed is unknown; did you mean 'instead'?" in problem for problem in found)
    (problem,) = problems(tmp_path, "dataset: {clickers: uniform}\n")
    assert "must be a mapping" in problem
    (problem,) = problems(tmp_path, "dataset: {clickers: {annotators: 2}}\n")
    assert "names no kind of clicks" in problem
