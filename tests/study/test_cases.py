"""Studies of cases: named cells with methods and settings of their own, from the file to the trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.errors import InputError
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preview import preview
from tal_search.trial.code_version import code_version
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.small_trials import make_result
from tests.support.study_files import load, problems

CASES = """\
dataset: {source: simulated}
hyperparameters: {epochs: 3}
inference: {nms: 0.4}
search:
  plan: cases
  cases:
    baseline: {hyperparameters: {lambda_sep: 0, beta_aff: 0, affinity: false}}
    + affinity, 8 channels:
      hyperparameters: {embedding_dim: 8}
      inference: {score_weight: 0}
    the release's: {preset: release, paper: BackTAL}
    same fit, other NMS:
      hyperparameters: {embedding_dim: 8, epochs: 3}
      inference.nms: 0.7
  repeats: {seeds: [0, 1], annotators: [A1, A2]}
"""


def planned(folder: Path, *overrides: str) -> Plan:
    return resolve(load(folder, CASES, f"runs={folder / 'runs'}", "backend=inline", *overrides))


def finished(spec: TrialSpec) -> TrialResult:
    return replace(make_result(spec), seconds=6.0)


def test_each_case_has_its_own_settings_over_the_studys(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    names = ["baseline", "+ affinity, 8 channels", "the release's", "same fit, other NMS"]
    assert list(plan.cells) == [{"case": name} for name in names]
    assert plan.centre_cell == {"case": "baseline"}
    assert plan.axes == ("case",)
    baseline, affinity, release, same = (plan.cases[name] for name in names)
    assert (vars(baseline.hyperparameters)["lambda_sep"], vars(baseline.hyperparameters)["affinity"]) == (0, False)
    assert (vars(affinity.hyperparameters)["lambda_sep"], vars(affinity.hyperparameters)["embedding_dim"]) == (1, 8)
    assert all(vars(case.hyperparameters)["epochs"] == 3 for case in plan.cases.values())
    assert (affinity.inference.nms, affinity.inference.score_weight) == (0.4, 0)
    assert (same.inference.nms, same.inference.score_weight) == (0.7, 0.2)
    assert (baseline.snippets, release.snippets) == (200, 750)
    assert vars(release.hyperparameters)["variant"] == "release"
    assert release.fit_inference.overlap == release.inference.overlap == "release"
    snippets = planned(tmp_path, "dataset.snippets=60").cases
    assert {case.snippets for case in snippets.values()} == {60}


def test_trials_are_cases_by_repeats_and_cases_share_the_fits_they_have_in_common(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert len(plan.trials) == 4 * 4
    assert [trial.cell["case"] for trial in plan.trials[:4]] == ["baseline"] * 4
    assert len(plan.fits) == 3 * 4, "two cases differ in inference settings alone"
    shared = [spec for spec in plan.fits if len(spec.settings) == 2]
    assert len(shared) == 4
    assert all("case" not in spec.hyperparameters for spec in plan.fits)
    alone = load(tmp_path, "hyperparameters: {epochs: 3, embedding_dim: 8}\ndataset: {source: simulated}\n")
    same = [trial.spec.key for trial in resolve(alone).trials]
    assert set(same) <= {spec.key for spec in plan.fits}, "a case is no part of what a trial is"


def test_a_preview_counts_what_is_cached_and_estimates_each_method_by_its_own_trials(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert preview(plan) == (4, 4, 16, 0, 0, 12, 12, None, ())
    for spec in plan.fits[:6]:
        folder = TrialFolder.of(plan.study.runs, spec.key)
        folder.write_spec(spec)
        folder.write_result(finished(spec))
    found = preview(plan)
    assert (found.cached, found.inference_only, found.to_train) == (0, 8, 6)
    assert found.seconds is None, "nothing is known of the release's T yet"
    shorter = preview(planned(tmp_path, "dataset.snippets=200"))
    assert (shorter.to_train, shorter.seconds) == (6, pytest.approx(36.0))


def test_cases_may_come_and_go_but_not_change_under_their_name(tmp_path: Path) -> None:
    from tal_search.record.record import Record

    def begin(*overrides: str) -> None:
        plan = planned(tmp_path, *overrides)
        Record.open(tmp_path / "record.db", "x", {}, fixed_settings(plan)).close()

    begin()
    begin("~search.cases.baseline", "search.cases={new: {hyperparameters: {lambda_sep: 2}}}")
    begin()
    with pytest.raises(InputError, match=r"cases\.new\.hyperparameters\.lambda_sep was 2\.0, is 3\.0"):
        begin("search.cases={new: {hyperparameters: {lambda_sep: 3}}}")
    with pytest.raises(InputError, match=r"cases\.baseline\.inference\.nms was 0\.4, is 0\.5"):
        begin("inference.nms=0.5")


WRONG = """\
hyperparameters: {epochs: 3}
search:
  plan: cases
  axes: {lambda_sep: [1]}
  cases:
    a:
      method: bactal
      hyperparameters: {lamda_sep: 1}
    b: {hyperparameters: {lamda_sep: 1, kernel_size: 4}, preset: papre}
    c: {hyperparameter: {}, paper: BackTAl}
    d: 3
    "e\\n": {}
    f: {inference: {nms: 2}}
    f: {}
"""


def test_every_wrong_case_is_named_in_one_pass(tmp_path: Path) -> None:
    found = problems(tmp_path, WRONG)
    wanted = [
        "14: search.cases.f is given again (first at studies/x.yaml:13); keep one",
        '7: search.cases.a.method is "bactal"; it must be one of ',
        "9: search.cases.b.hyperparameters.lamda_sep is unknown; did you mean 'lambda_sep'?",
        "9: search.cases.b.hyperparameters.kernel_size is 4; it must be odd",
        "10: search.cases.c.hyperparameter is unknown; did you mean 'hyperparameters'?",
        "11: search.cases.d is 3; it must be a mapping",
        "12: search.cases.e\\n is no valid name of a case; give at most 80 printable characters",
        "13: search.cases.f.inference.nms is 2; it must be at most 1",
        "4: search.axes is given; axes are for plan one_at_a_time or grid; give each setting to a case",
        '9: search.cases.b.preset is "papre"; for backtal on thumos14 it must be one of auto, paper',
        "10: search.cases.c.paper is \"BackTAl\", no published system on thumos14; did you mean 'BackTAL'?",
    ]
    assert [p.removeprefix("studies/x.yaml:")[: len(w)] for p, w in zip(found, wanted, strict=True)] == wanted


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("~search.cases", "search.plan is cases, but search.cases is empty; give cases, NAME: {method: ...}"),
        ("search.plan=grid", "search.cases is given; it needs plan: cases, and the plan is grid"),
        ("search.cases={again: {preset: release, paper: null}}", "search.cases.again has exactly the settings of"),
        ("search.cases.baseline.inference.activation_low=.5", "inference.activation_low is 0.5 and inference.activ"),
        ("search.sampler=tpe", "search.sampler is given; it needs plan: sampler, and the plan is cases"),
    ],
)  # fmt: skip
def test_a_study_of_cases_that_means_nothing_is_refused(tmp_path: Path, override: str, sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        planned(tmp_path, override)
    assert any(sentence in problem for problem in raised.value.problems), raised.value.problems


def test_a_case_is_changed_and_dropped_by_its_name(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, "search.cases.+ affinity, 8 channels.hyperparameters.embedding_dim=16", "~search.cases.the release's"
    )
    assert list(plan.cases) == ["baseline", "+ affinity, 8 channels", "same fit, other NMS"]
    assert vars(plan.cases["+ affinity, 8 channels"].hyperparameters)["embedding_dim"] == 16
    (sentence,) = problems(tmp_path, CASES, "search.cases.+ affinity, 8 channels.hyperparameters.embeding_dim=16")
    assert "search.cases.+ affinity, 8 channels.hyperparameters.embeding_dim is unknown; did you mean" in sentence


MIXED = """\
dataset: {source: simulated}
search:
  plan: cases
  cases:
    BaS-Net: {method: basnet, hyperparameters: {epochs: 2}}
    BackTAL: {}
"""


def test_each_method_of_a_study_has_its_code_its_clicks_and_its_accepted_older_trials(tmp_path: Path) -> None:
    settings = (f"runs={tmp_path / 'runs'}", "accept_code_change=true")
    plan = resolve(load(tmp_path, MIXED, *settings))
    plain, clicks = plan.fits
    assert (plain.method, plain.annotator, plain.code_version) == (
        "basnet",
        "none",
        code_version("basnet", "simulated"),
    )
    assert (clicks.method, clicks.annotator, clicks.code_version) == (
        "backtal",
        "A1",
        code_version("backtal", "simulated"),
    )
    assert plan.clicks == ("background clicks",)
    older = replace(plain, code_version="older")
    TrialFolder.of(plan.study.runs, older.key).write_spec(older)
    TrialFolder.of(plan.study.runs, older.key).write_result(finished(older))
    assert [spec.key for spec in resolve(load(tmp_path, MIXED, *settings)).fits] == [older.key, clicks.key]


def test_hyperparameters_that_no_case_reads_are_refused(tmp_path: Path) -> None:
    alone = MIXED.replace("    BackTAL: {}\n", "") + "hyperparameters: {epochs: 3}\n"
    (sentence,) = problems(tmp_path, alone)
    assert sentence.endswith("hyperparameters are for the method backtal, which no case uses; give them to the cases")


def test_rescoring_a_study_of_cases_says_where_the_setting_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rescore", "study=thumos_modules", "dataset.source=simulated", "inference.nms=[0.5]"]) == 2
    assert "give each setting to a case, search.cases.NAME" in capsys.readouterr().err


def test_inference_settings_are_for_the_cases_that_have_activations_to_score_again(tmp_path: Path) -> None:
    text = MIXED.replace("method: basnet", "method: asl") + "inference: {nms: 0.4}\n"
    regressed, localized = resolve(load(tmp_path, text)).trials
    assert (regressed.spec.method, regressed.setting) == ("asl", None)
    assert localized.inference["nms"] == 0.4
    assert localized.setting is not None
    (sentence,) = problems(tmp_path, text, "search.cases.BaS-Net.inference.nms=0.3")
    assert "search.cases.BaS-Net.inference is given, but asl localizes without class activation sequences" in sentence
