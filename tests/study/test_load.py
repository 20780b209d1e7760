"""Studies: files and overrides to one checked record, every problem in one pass with its place."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.study import Study, load_study
from tests.support.paths import STUDIES
from tests.support.study_files import load, problems


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_repository_loads(path):
    study = load_study(path.stem, [], STUDIES)
    assert study.name == path.stem
    assert study.description
    assert "\n" not in study.description


def test_a_study_is_frozen():
    study = load_study("quickstart", [], STUDIES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.name = "other"


def test_an_empty_section_is_its_defaults(tmp_path):
    study = load(tmp_path, "description: nothing set\nhyperparameters:\nsearch:\ndataset:\n  # root: here\n")
    assert study == Study(name="x", description="nothing set")


def test_values_get_their_types(tmp_path):
    study = load(
        tmp_path,
        """
description: types
hyperparameters: {k_ratio: 1/16, lambda_sep: 2, k_ratio_sep: null, learning_rate: 1e-4, affinity: false}
inference:
  nms: .5
dataset: {root: a/b, snippets: 100, simulation: {channels: 8}}
search:
  axes:
    k_ratio: [1/6, 0.25]
    inference.nms: [.4]
    hidden_channels: [null, 8]
    inference:
      score_weight: [0, 1]
  repeats: {seeds: [3, 1], annotators: [A2]}
protocol: {tiou: [0.3, 0.5]}
tracking: {mlflow: false, uri: sqlite:///a.db}
runs: out/here
""",
    )
    assert study.hyperparameters == {
        "k_ratio": 1 / 16, "lambda_sep": 2.0, "k_ratio_sep": None, "learning_rate": 1e-4, "affinity": False,
    }  # fmt: skip
    assert type(study.hyperparameters["lambda_sep"]) is float
    assert study.inference == {"nms": 0.5}
    assert study.dataset.root == Path("a/b")
    assert study.dataset.simulation.channels == 8
    assert study.search.axes == {
        "k_ratio": (1 / 6, 0.25),
        "hidden_channels": (None, 8),
        "inference.nms": (0.4,),
        "inference.score_weight": (0, 1),
    }
    assert study.search.repeats.seeds == (3, 1)
    assert study.search.repeats.annotators == ("A2",)
    assert study.protocol.tiou == "0.3,0.5"
    assert study.tracking.uri == "sqlite:///a.db"
    assert study.runs == Path("out/here")


def test_a_fork_is_the_same_study_under_another_name(tmp_path):
    text = "search: {axes: {lambda_sep: [2]}}\nhyperparameters: {beta_aff: .6}\n"
    plain, fork = load(tmp_path, text), load(tmp_path, text, "study.fork=wide-2")
    assert (plain.name, fork.name) == ("x", "wide-2")
    assert dataclasses.replace(fork, name="x", study=plain.study) == plain
    (sentence,) = problems(tmp_path, text, "study.fork=a/b")
    assert 'study.fork is "a/b"; a name has letters, digits, - and _' in sentence


def test_short_forms_of_a_search_are_written_out(tmp_path):
    pruner = "{name: asha, options: {reduction_factor: 2}}"
    space = "{kernel_size: [1, 3], inference.nms: {low: .3, high: .7}}"
    text = f"search: {{plan: sampler, sampler: tpe, pruner: {pruner}, objectives: [mAP], space: {space}}}\n"
    study = load(tmp_path, text + "budget: {trials: 10, minutes: 1/2}")
    assert (study.search.sampler.name, study.search.sampler.seed, study.search.sampler.options) == ("tpe", 0, {})
    assert (study.search.pruner.name, study.search.pruner.options) == ("asha", {"reduction_factor": 2})
    assert study.search.objectives == {"mAP": "maximize"}
    assert list(study.search.space) == ["kernel_size", "inference.nms"]
    assert study.search.space["kernel_size"].choices == (1, 3)
    assert (study.budget.trials, study.budget.minutes) == (10, 0.5)


EVERY_PROBLEM = """\
description: every problem
preset: papre
method: backtal
hyperparameters:
  lamda_sep: 2
  kernel_size: 4
  k_ratio: 1.5
  epochs: many
  variant: relaese
  lambda_sep:
serach:
  plan: grid
search:
  trails: 10
  plan: smapler
  axes:
    kernel_size: [1, 2]
    tau_same: 0.3
    tau_diff: [0, 0.0]
    beta_aff: []
    nms: [0.5]
    inference.nm: [0.5]
  repeats:
    seeds: [0, -1]
    annotators: A1
protocol:
  tiou: 0.1:2:x
  evaluate_every: 0
resources:
  cpus_per_trial: .inf
  backend: [ray]
  plan: grid
"""
EXPECTED = {
    2: 'preset is "papre"; for backtal on thumos14 it must be one of auto, paper, release, simulated, generic; did you',
    5: "hyperparameters.lamda_sep is unknown; did you mean 'lambda_sep'? (value seen: 2)",
    6: "hyperparameters.kernel_size is 4; it must be odd",
    7: "hyperparameters.k_ratio is 1.5; it must be at most 1",
    8: 'hyperparameters.epochs is "many"; it must be a whole number',
    9: "hyperparameters.variant is \"relaese\"; it must be one of paper, release; did you mean 'release'?",
    10: "hyperparameters.lambda_sep has no value; it must be a finite number",
    11: 'serach is unknown; did you mean \'search\'? (value seen: {"plan": "grid"})',
    14: "search.trails is unknown; ",
    15: "search.plan is \"smapler\"; it must be one of one_at_a_time, grid, cases, sampler; did you mean 'sampler'?",
    17: "search.axes.kernel_size[1] is 2; it must be odd",
    18: "search.axes.tau_same is 0.3; it must be a list of one value or more",
    19: "search.axes.tau_diff has 0.0 more than once; keep one",
    20: "search.axes.beta_aff is []; it must be a list of one value or more",
    21: "search.axes.nms is unknown; did you mean 'inference.nms'? (value seen: [0.5])",
    22: "search.axes.inference.nm is unknown; did you mean 'nms'? (value seen: [0.5])",
    24: "search.repeats.seeds is [0, -1]; it must be at least 0",
    25: 'search.repeats.annotators is "A1"; it must be auto or a list, each value text',
    27: "protocol.tiou=0.1:2:x: 'x' is not a number",
    28: "protocol.evaluate_every is 0; it must be at least 1",
    30: "resources.cpus_per_trial is Infinity; it must be a finite number",
    31: 'resources.backend is ["ray"]; it must be one of ray, inline',
    32: "resources.plan is unknown; did you mean 'search.plan'? (value seen: \"grid\")",
}


def test_every_problem_in_one_pass_with_its_line(tmp_path):
    found = problems(tmp_path, EVERY_PROBLEM, "resources.devise=cpu", "hyperparameters.dropout=high", "nothing")
    by_line = {int(p.split(":")[1]): p for p in found if p.startswith("studies/")}
    assert by_line.keys() == EXPECTED.keys()
    for line, sentence in EXPECTED.items():
        assert by_line[line].startswith(f"studies/x.yaml:{line}: {sentence}")
    command = [p for p in found if p.startswith("command line")]
    assert len(found) == len(by_line) + len(command)
    assert sorted(command) == [
        'command line: hyperparameters.dropout=high: hyperparameters.dropout is "high"; it must be a finite number',
        "command line: nothing: is not KEY=VALUE; write for example 'search.repeats.seeds=[0,1]'",
        "command line: resources.devise=cpu: resources.devise is unknown; did you mean 'device'? (value seen: \"cpu\")",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "studies/x.yaml:1: cannot be read as YAML: "),
        ("method: backtal\nsearch:\n\tplan: grid", "studies/x.yaml:3: cannot be read as YAML: .*; indent with spaces"),
        ("- a", "studies/x.yaml:1: is .*, not a mapping"),
        ("", "studies/x.yaml: is empty"),
        ("--- \na: 1\n---\nb: 2", "studies/x.yaml:3: cannot be read as YAML: "),
        ("method: backtal\nmethod: backtal", r"studies/x.yaml:2: method is given again \(first at studies/x.yaml:1\)"),
        ("search: {plan: grid}\nsearch.plan: grid", "studies/x.yaml:2: search.plan is given again"),
        ("search.plan: grid\nsearch: 3", "studies/x.yaml:2: search is both a value and a section"),
        ("runs: !!python/object/apply:os.system [ls]", "studies/x.yaml:1: runs has the tag .*python.* is not read"),
        ("runs: &a out\nmethod: *a", "studies/x.yaml:2: cannot be read as YAML: an alias"),
        ("search: &a\n  plan: grid\n  axes: *a", "studies/x.yaml:3: cannot be read as YAML: an alias"),
        ("runs: " + "[" * 50 + "]" * 50, "studies/x.yaml:1: .*nested too deeply"),
        ("runs: " + "[" * 5000 + "]" * 5000, "studies/x.yaml: .*nested too deeply"),
        ("runs: ${nowhere}", "studies/x.yaml:1: runs cannot be filled in"),
        ("runs: ${broken", "studies/x.yaml:1: runs is .*, broken"),
        ("runs: ???", "studies/x.yaml:1: runs cannot be filled in .*; write the value out"),
        ("search: 3", "studies/x.yaml:1: search is 3; it must be a mapping"),
        ("search: {axes: [lambda_sep]}", "studies/x.yaml:1: search.axes is .*; it must be a mapping"),
        ("search: {repeats: {seeds: []}}", "studies/x.yaml:1: search.repeats.seeds has no values"),
        ("search: {repeats: {seeds: [1, 1]}}", "studies/x.yaml:1: search.repeats.seeds has 1 more than once"),
        ("search: {repeats: {annotators: [1]}}", "studies/x.yaml:1: search.repeats.annotators is .*, each value text"),
        ("method: backtall", "studies/x.yaml:1: method is .*; it must be one of .*backtal.*; did you mean 'backtal'?"),
        ("method: ../x", "studies/x.yaml:1: method is .*; it must be one of .*backtal"),
        ("hyperparameters: {affinity: yes}", "studies/x.yaml:1: .*affinity is \"yes\"; it must be true or false"),
        ("hyperparameters: {epochs: 3.0}", "studies/x.yaml:1: .*epochs is 3.0; it must be a whole number"),
        ("hyperparameters: {k_ratio: 1/0}", "studies/x.yaml:1: .*k_ratio is \"1/0\"; it must be a finite number"),
        ("hyperparameters: {lambda_sep: .nan}", "studies/x.yaml:1: .*lambda_sep is NaN; it must be a finite number"),
        ("protocol: {selection: best_on_test}", "studies/x.yaml:1: protocol.selection is .*one of auto, last, holdout"),
        ("lambda_sep: 2", "studies/x.yaml:1: lambda_sep is unknown; did you mean 'hyperparameters.lambda_sep'?"),
        ("name: x", "studies/x.yaml:1: name is unknown"),
        ("3: x", "studies/x.yaml:1: 3 is unknown"),
        ("? [a]\n: b", "studies/x.yaml:1: the file has a key that is not a word"),
        (b"description: \xff\xfe", "studies/x.yaml: cannot be read"),
        ("description: a\x00b", "studies/x.yaml: cannot be read as YAML"),
        ("<<: {method: backtal}", "studies/x.yaml:1: << is unknown"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_sentence(tmp_path, text, sentence):
    found = problems(tmp_path, text)
    assert len(found) == 1, found
    assert re.match(sentence, found[0]), found[0]


def test_a_broken_file_does_not_hide_broken_overrides(tmp_path):
    found = problems(tmp_path, "a: [1", "search.plan=gird")
    assert len(found) == 2
    assert found[1].endswith("it must be one of one_at_a_time, grid, cases, sampler; did you mean 'grid'?")


def test_a_grid_too_large_to_mean_is_refused(tmp_path):
    axes = "".join(
        f"    {name}: [{', '.join(str(i / 100) for i in range(50))}]\n" for name in ("tau_same", "tau_diff", "beta_aff")
    )
    found = problems(tmp_path, f"search:\n  plan: grid\n  axes:\n{axes}")
    assert found == (
        "studies/x.yaml:3: search.axes makes 125000 cells x 1 seeds; "
        "at most 20000 trials are planned, take fewer values",
    )


def test_reading_and_planning_imports_nothing_heavy():
    code = (
        "import sys, tal_search.study, tal_search.plan.plan, tal_search.plan.preview\n"
        "study = tal_search.study.load_study('quickstart', [])\n"
        "tal_search.plan.preview.preview(tal_search.plan.plan.resolve(study))\n"
        "print([name for name in ('torch', 'ray', 'mlflow', 'optuna', 'pandas') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
