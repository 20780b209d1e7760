"""What a study's search section may not say: one sentence each, with its place, before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.errors import InputError
from tal_search.plan.plan import resolve
from tal_search.study import BudgetSettings, Dimension, PrunerSettings, SamplerSettings
from tests.support.study_files import load, problems

SOUND = """\
dataset: {source: simulated}
search:
  plan: sampler
  space:
    lambda_sep: {low: 0.25, high: 4, log: true}
  repeats: {annotators: [A1]}
budget: {trials: 20}
"""
# Overrides of the study above, and how the one sentence goes on after "command line: KEY=VALUE: ".
REFUSED = [
    # The plan and what belongs to it
    ("~search.space", "search.plan is sampler, but search.space is empty; give a range, NAME: {low: A, high: B}"),
    ("search.plan=grid", "search.space is given; it needs plan: sampler, and the plan is grid"),
    ("search.axes={lambda_sep:[1,2]}", "search.axes is given; axes are for plan one_at_a_time or grid; .* move them"),
    ("~budget", "search.plan is sampler, which never ends by itself; give budget.trials or budget.minutes"),
    ("protocol.selection=last", "protocol.selection is last, which leaves a sampler nothing but test scores"),
    ("search.repeats.until={interval:1}", "search.repeats.until compares cells to the centre; a sampler's plan"),
    ("study.fork=a/b", 'study.fork is "a/b"; a name has letters, digits, - and _'),
    ("study.fork=..", 'study.fork is ".."; a name has letters, digits, - and _'),
    # Budgets
    ("budget.trials=0", "budget.trials is 0; it must be at least 1"),
    ("budget.minutes=0", "budget.minutes is 0; it must be greater than 0"),
    # Samplers and pruners
    ("search.sampler=tpee", "search.sampler.name is \"tpee\"; it must be one of .*; did you mean 'tpe'"),
    ("search.sampler={name:tpee,options:{n_startup_trials:3}}", "search.sampler.name is \"tpee\"; .*'tpe'"),
    ("search.sampler={name:tpe,options:{n_startup:3}}", "search.*options.n_startup is unknown; did you mean 'n_st"),
    ("search.sampler={name:tpe,options:{group:true,multivariate:false}}", "search.*options.group is true, which draws"),
    ("search.sampler={name:cmaes,options:{popsize:3}}", "search.sampler.options.popsize is 3; it must be at least 4"),
    ("search.sampler={name:tpe,seed:-1}", "search.sampler.seed is -1; it must be at least 0"),
    ("search.sampler=3", "search.sampler is 3; it must be a mapping"),
    ("search.pruner=medium", "search.pruner.name is \"medium\"; it must be one of none, .*; did you mean 'median'"),
    ("search.pruner={name:asha,options:{factor:3}}", "search.pruner.options.factor is unknown; valid: min_"),
    ("search.pruner={name:asha,options:{reduction_factor:1}}", "search.*reduction_factor is 1; it must be at least 2"),
    ("search.pruner={options:{factor:3}}", "search.pruner.options is given, but no pruner; give search.pruner.name"),
    # Objectives
    ("search.objectives=[test_mAP]", "search.objectives.test_mAP is a test score, which never steers a search"),
    ("search.objectives={test/mAP: maximize}", "search.objectives.test/mAP is a test score, which never steers"),
    ("search.objectives=[map]", "search.objectives.map is unknown; it must be one of .*; did you mean 'mAP'"),
    ("search.objectives=[]", "search.objectives has no objective; choose from mAP, "),
    ("search.objectives={mAP:up}", 'search.objectives.mAP is "up"; it must be maximize or minimize'),
    ("search.objectives=3", "search.objectives is 3; it must be a mapping"),
    # Ranges
    ("search.space.lambda_sep.low=-1", "search.space.lambda_sep.low is -1; it must be at least 0"),
    ("search.space={dropout:{low:0,high:1}}", r"search.space.dropout.high is 1; it must be at most 0.99"),
    ("search.space={ema_decay:{low:.9,high:1}}", "search.space.ema_decay.high is 1; it must be less than 1"),
    ("hyperparameters.ema_decay=0", "hyperparameters.ema_decay is 0; it must be greater than 0"),
    ("hyperparameters.ema_decay=1.5", "hyperparameters.ema_decay is 1.5; it must be less than 1"),
    ("hyperparameters.warm_up=1", "hyperparameters.warm_up is 1; it must be less than 1"),
    ("hyperparameters.warm_up=-.1", "hyperparameters.warm_up is -0.1; it must be at least 0"),
    ("hyperparameters.final_rate=2", "hyperparameters.final_rate is 2; it must be at most 1"),
    ("hyperparameters.clip_norm=0", "hyperparameters.clip_norm is 0; it must be greater than 0"),
    ("hyperparameters.clip_norm=yes", "hyperparameters.clip_norm is .*; it must be a finite number or null"),
    ("hyperparameters.optimizer=adamW", "hyperparameters.optimizer is .*; it must be one of adam, adamw; .*'adamw'"),
    ("hyperparameters.schedule=onecycle", "hyperparameters.schedule is .*constant, cosine, one_cycle; .*'one_cycle'"),
    ("hyperparameters.warmup=.1", "hyperparameters.warmup is unknown; did you mean 'warm_up'"),
    ("search.space={k_ratio:{low:1/16,high:2}}", "search.space.k_ratio.high is 2; it must be at most 1"),
    ("search.space={inference.nms:{low:0,high:1}}", "search.space.inference.nms.low is 0; it must be greater than 0"),
    ("search.space.lambda_sep.low=0", "search.space.lambda_sep is logarithmic; low must be greater than 0"),
    ("search.space.lambda_sep.low=5", "search.space.lambda_sep goes from 5 to 4; low must be smaller than high"),
    ("search.space.lambda_sep.low=4", "search.space.lambda_sep goes from 4 to 4; low must be smaller than high"),
    ("search.space.lambda_sep.low=[1]", "search.space.lambda_sep.low is .*; it must be a finite number"),
    ("~search.space.lambda_sep.low", "search.space.lambda_sep has no low; give low and high"),
    ("search.space.lambda_sep.logg=true", "search.space.lambda_sep.logg is unknown; did you mean 'log'"),
    ("search.space.lambda_sep.log=1", "search.space.lambda_sep.log is 1; it must be true or false"),
    ("search.space={lamda_sep:{low:1,high:2}}", "search.space.lamda_sep is unknown; did you mean 'lambda_sep'"),
    ("search.space={lambda_sep:3}", "search.space.lambda_sep is 3; give {low: A, high: B} or a list of choices"),
    ("search.space={affinity:{low:0,high:1}}", "search.space.affinity is .*; affinity is true or false, give a list"),
    ("search.space={variant:[paper,relaese]}", "search.space.variant.choices.*it must be one of paper, release"),
    ("search.space={affinity:[true,true]}", "search.space.affinity.choices has true more than once; keep one"),
    ("search.space={tau_same:{choices:[0,1],low:0}}", "search.space.tau_same has choices and a range; keep one"),
    ("search.space={embedding_dim:{low:1.5,high:8}}", "search.space.embedding_dim.low is 1.5; it must be a whole n"),
    ("search.space={embedding_dim:{low:8,high:32,step:10}}", "search.space.emb.* steps of 10, which do not reach 32"),
    ("search.space={embedding_dim:{low:8,high:32,step:0}}", "search.space.embedding_dim.step is 0; it must be a whole"),
    ("search.space={tau_same:{low:0,high:1,step:0.3}}", "search.space.tau_same .* steps of 0.3, which do not reach 1"),
    ("search.space={kernel_size:{low:1,high:8}}", "search.space.kernel_size.high is 8; it must be odd"),
    ("search.space={kernel_size:{low:1,high:9,step:1}}", "search.space.kernel_size .* break a rule; each must be odd"),
    ("search.space={kernel_size:{low:1,high:9,log:true}}", r"search.space.kernel_size is logarithmic; .*\(an odd"),
    # Conditions
    ("search.space.lambda_sep.when={affinty:true}", "search.*when.affinty is no dimension defined above lambda_sep"),
    ("search.space={tau_same:{low:0,high:1,when:{affinity:true}},affinity:[true,false]}", "search.*reorder the space"),
    ("search.space={affinity:[true,false],tau_same:{low:0,high:1,when:{affinity:maybe}}}", 'search.*has "maybe"'),
    ("search.space={affinity:[true,false],tau_same:{low:0,high:1,when:{affinity:[]}}}", "search.*affinity has no"),
    ("search.space={tau_diff:{low:0,high:1},tau_same:{low:0,high:1,when:{tau_diff:0.5}}}", "search.*is .0.5.;"),
    ("search.space={kernel_size:{low:1,high:9},tau_same:{low:0,high:1,when:{kernel_size:4}}}", "search.*size is .4.;"),
    ("search.space.lambda_sep.when=3", "search.space.lambda_sep.when is 3; it must be a mapping"),
    # What shows once the data is found
    ("search.repeats.annotators=[A9]", "search.repeats.annotators has 'A9', who has no click file; found: A1"),
    ("search.space={inference.activation_low:{low:0,high:0.3}}", "inference.activation_low is 0.3 and .*_high is 0.25"),
    ("search.space={inference.activation_low:[0,0.3]}", "inference.activation_low is 0.3 and .*_high is 0.25"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "sentence"), REFUSED)
def test_one_sentence_with_its_place(override: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        resolve(load(tmp_path, SOUND, override))
    assert raised.value.exit_code == 2
    (problem,) = raised.value.problems
    assert re.match(rf"(command line: {re.escape(override)}|studies/x\.yaml:\d+): {sentence}", problem), problem


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["search.objectives=[mAP,parameters]", "search.pruner=median"], "search.pruner is median, which needs a"),
        (["search.objectives=[mAP,parameters]", "search.sampler=cmaes"], "search.sampler is cmaes, which takes one"),
        (["search.objectives=[parameters]", "search.pruner=asha"], "search.pruner is asha, which watches mAP; make it"),
        (["search.pruner=wilcoxon"], "search.pruner is wilcoxon, which could never stop a cell of 1 .* least 5"),
        (
            ["search.pruner={name:wilcoxon,options:{p_threshold:0.01}}", "search.repeats.seeds=[0,1,2,3,4,5]"],
            "search.pruner is wilcoxon, which could never stop a cell of 6 repeats .* at least 8",
        ),
        (
            ["search.repeats.seeds=[0,1,2]", "search.repeats.annotators=[A1,A2]", "budget.trials=5"],
            "budget.trials is 5, but one cell has 6 trials",
        ),
        (
            ["search.plan=grid", "~search.space", "search.axes={lambda_sep:[1,2]}", "search.repeats.seeds=[0,1]",
             "search.repeats.until.at_most=2"],
            "search.repeats.until.at_most is 2, but a cell has 2 repeats .*; give more",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together(overrides: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        resolve(load(tmp_path, SOUND, *overrides))
    (problem,) = raised.value.problems
    assert re.match(rf"command line: [^ ]*: {sentence}", problem), problem


def test_several_problems_come_at_once(tmp_path: Path) -> None:
    broken = ("search.space.lambda_sep.low=-1", "search.sampler=tpee", "budget.trials=0", "search.objectives=[map]")
    assert len(problems(tmp_path, SOUND, *broken)) == len(broken)


@pytest.mark.parametrize("override", ["search.objectives=[test_mAP]", "search.pruner=medium", "budget.trials=0"])
def test_the_command_says_it_and_starts_nothing(
    override: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    assert main(["run", "study=thumos_search", "dataset.source=simulated", f"runs={runs}", override]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"command line: {override}: ")
    assert not runs.exists()


def test_long_forms_and_short_ones_say_the_same(tmp_path: Path) -> None:
    study = load(tmp_path, SOUND, "search.sampler=tpe", "search.pruner=median", "search.objectives=[mAP]")
    assert study.search.sampler == SamplerSettings(name="tpe")
    assert study.search.pruner == PrunerSettings(name="median")
    assert study.search.objectives == {"mAP": "maximize"}
    several = load(tmp_path, SOUND, "search.objectives=[mAP,annotation_seconds,parameters]").search.objectives
    assert several == {"mAP": "maximize", "annotation_seconds": "minimize", "parameters": "minimize"}
    full = load(tmp_path, SOUND, "search.sampler={name:tpe,seed:3,options:{n_ei_candidates:4}}", "budget={minutes:0.5}")
    assert full.search.sampler == SamplerSettings(name="tpe", seed=3, options={"n_ei_candidates": 4})
    assert full.budget == BudgetSettings(trials=20, minutes=0.5)
    assert load(tmp_path, SOUND, "search.sampler=gp", "search.sampler.seed=7").search.sampler.seed == 7


def test_defaults_of_a_sampler_study(tmp_path: Path) -> None:
    plan = resolve(load(tmp_path, SOUND))
    assert plan.study.search.sampler == SamplerSettings(name="qmc", seed=0)
    assert plan.protocol["selection"] == "holdout"
    assert plan.centre_cell == {"lambda_sep": 1.0}
    assert plan.study.search.space == {"lambda_sep": Dimension(low=0.25, high=4.0, log=True)}
    assert (plan.cells, plan.trials) == ((), ())


def test_groups_that_are_held_out_need_an_expression_and_a_holdout(tmp_path: Path) -> None:
    (wrong,) = problems(tmp_path, "protocol: {selection: holdout, holdout_by: 'user('}")
    assert "which is no regular expression" in wrong
    (unused,) = problems(tmp_path, "protocol: {selection: last, holdout_by: user}")
    assert "selection is last, which holds out no video" in unused
    assert load(tmp_path, "protocol: {selection: holdout, holdout_by: user}").protocol.holdout_by == "user"
