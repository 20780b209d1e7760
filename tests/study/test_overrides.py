"""Command-line overrides in Hydra's grammar."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.errors import InputError
from tal_search.study import Study, load_study
from tal_search.text.urls import without_passwords
from tests.support.paths import STUDIES
from tests.support.study_files import load, problems

GIVEN = """
description: given
hyperparameters: {lambda_sep: 2}
dataset: {simulation: {channels: 8, seed: 1}}
search:
  axes:
    lambda_sep: [1, 4]
    inference.nms: [.5]
"""


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("hyperparameters.lambda_sep=.5", 0.5),
        ("hyperparameters.lambda_sep=1/4", 0.25),
        ("+hyperparameters.beta_aff=1", 1.0),
        ("++hyperparameters.beta_aff=1e-1", 0.1),
        ("search.repeats.seeds=[0,1]", (0, 1)),
        ("search.repeats.annotators=[A1, 'A2']", ("A1", "A2")),
        ("search.axes.lambda_sep=[3]", (3.0,)),
        ("search.axes.inference.nms=[.4,1/3]", (0.4, 1 / 3)),
        ("search.axes.lambda_sep.0=7", (7.0, 4.0)),
        ("dataset.root=../a b:c", Path("../a b:c")),
        ("dataset.root='[x]'", Path("[x]")),
        ('description="a, b: c"', "a, b: c"),
        ("tracking.uri=sqlite:///a.db?x=1", "sqlite:///a.db?x=1"),
        ("tracking.uri=null", None),
        ("tracking.mlflow=False", False),
        ("dataset.snippets=100", 100),
        ("protocol.tiou=[0.3,0.5]", "0.3,0.5"),
        ("protocol.tiou=0.3:0.5:0.1", "0.3:0.5:0.1"),
        ("backend=inline", "inline"),
        ("runs=${method}/${dataset.name}", Path("backtal/thumos14")),
    ],
)
def test_overrides_set_values(tmp_path, override, value):
    key = override.lstrip("+").partition("=")[0].removesuffix(".0")
    study = load(tmp_path, GIVEN + "method: backtal\ndataset.name: thumos14\n", override)
    found = study
    names = {"backend": "resources.backend"}.get(key, key).split(".")
    for index, name in enumerate(names):
        rest = ".".join(names[index:])
        if isinstance(found, dict):
            found = found[rest]
            break
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


def test_an_override_with_a_mapping_merges(tmp_path):
    study = load(
        tmp_path, GIVEN, "dataset.simulation={channels:16, scenes: 5,offset:.2}", "search.axes={tau_same:[0,.1]}"
    )
    assert (study.dataset.simulation.channels, study.dataset.simulation.seed) == (16, 1)
    assert (study.dataset.simulation.scenes, study.dataset.simulation.offset) == (5, 0.2)
    assert list(study.search.axes) == ["lambda_sep", "inference.nms", "tau_same"]


def test_a_tilde_deletes(tmp_path):
    study = load(
        tmp_path, GIVEN, "~search.axes.lambda_sep", "~hyperparameters.lambda_sep=2", "~search.axes.inference.nms"
    )
    assert study.search.axes == {}
    assert study.hyperparameters == {}
    assert load(tmp_path, GIVEN, "~search").search == Study(name="x").search


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("hyperparameters.lambda_sep=1,2", "give an axis a list instead: search.axes.lambda_sep=[VALUE,VALUE]"),
        ("inference.nms=choice(1,2)", "give an axis a list instead: search.axes.inference.nms=[VALUE,VALUE]"),
        ("runs=", "runs has no value; write runs=VALUE, or ~runs for the default"),
        ("=3", "is not KEY=VALUE"),
        ("runs", "is not KEY=VALUE"),
        ("--runs=x", "--runs is unknown"),
        ("search.repeats.seeds=[0,1", "cannot be read as YAML"),
        ("~runs", "runs is not given by the study, so there is nothing to delete"),
        ("~hyperparameters.lambda_sep=3", "hyperparameters.lambda_sep is 2, not 3; delete it by ~KEY"),
        ("search.axes.lambda_sep.x=3", "cannot be set"),
        ("search.axes.lambda_sep.9=3", "cannot be set"),
        ("runs=!!python/name:os.system", ""),
        ("runs={a: !!python/name:os.system x}", "which is not read"),
        ("hyperparameters.kernel_size=2", "hyperparameters.kernel_size is 2; it must be odd"),
        ("search.axes.kernel_size=[1,2]", "search.axes.kernel_size[1] is 2; it must be odd"),
        ("dataset.simulation={chanels:3}", "dataset.simulation.chanels is unknown; did you mean 'channels'?"),
        ("runs=${", "broken"),
        ("study=y", 'study is "y"; it must be a mapping'),
    ],
)
def test_broken_overrides_name_themselves(tmp_path, override, sentence):
    if not sentence:  # a lone word is text, whatever it looks like
        assert load(tmp_path, GIVEN, override).runs == Path("!!python/name:os.system")
        return
    with pytest.raises(InputError) as raised:
        load(tmp_path, GIVEN, override)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(f"command line: {override}: ")
    assert sentence in raised.value.problems[0]


def test_an_override_takes_the_blame_from_the_file(tmp_path):
    text = "search:\n  axes:\n    kernel_size: [1, 2]\n    tau_same: [3]\n"
    assert len(problems(tmp_path, text)) == 2
    found = problems(tmp_path, text, "search.axes.kernel_size=[4]")
    assert found[0].startswith("command line: search.axes.kernel_size=[4]: search.axes.kernel_size[0] is 4")
    assert found[1].startswith("studies/x.yaml:4: search.axes.tau_same[0] is 3")


KEYS = ["runs", "search", "search.axes", "hyperparameters.k_ratio", "search.repeats.seeds", "protocol.tiou", "a.b", ""]
TEXT = st.text(alphabet="[]{}'\",:=~+ 01./abe${}!&*#-\t\n\0é", max_size=20)


@given(key=st.sampled_from(KEYS), sign=st.sampled_from(["", "+", "~"]), value=TEXT, more=TEXT)
@settings(max_examples=100, deadline=None)
def test_any_override_is_read_or_refused(key, sign, value, more):
    try:
        study = load_study("quickstart", [f"{sign}{key}={value}", more], STUDIES)
    except InputError as error:
        starts = ("command line: ", "studies/quickstart.yaml:")
        places = [problem.startswith(starts) and "\n" not in problem for problem in error.problems]
    else:
        places = [study.name == "quickstart"]
    assert all(places)


def test_a_proposed_command_tells_nobody_a_password() -> None:
    secrets = [
        "record=postgresql://me:s3cret@host:5432/runs", "tracking.uri=http://me:p@s3cret:x@host/mlflow",
        "++record=postgresql+psycopg://host/runs?password=s3cret&user=me&sslpassword=s3cret", "runs=kept",
    ]  # fmt: skip
    study = load_study("quickstart", secrets[:1])
    assert study.record == "postgresql://me:s3cret@host:5432/runs"
    assert study.overrides == ("study=quickstart", "record=postgresql://me@host:5432/runs")
    assert [without_passwords(one) for one in secrets[1:]] == [
        "tracking.uri=http://me@host/mlflow", "++record=postgresql+psycopg://host/runs?user=me", "runs=kept",
    ]  # fmt: skip


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        load_study("quickstart", ["dataset.root=caf\udce9"])
    assert caught.value.problems == (
        "command line: dataset.root=caf\udce9: is not UTF-8 text; rename the file, or link to it under another name",
    )
