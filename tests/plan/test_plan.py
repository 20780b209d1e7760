"""Plans: cells, repeats and trials of a study, and the problems that are reported instead."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search import methods
from tal_search.errors import InputError
from tal_search.methods.backtal import Hyperparameters
from tal_search.plan.cells import cells, left_out
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preview import preview
from tal_search.study import SearchSettings, Study, load_study
from tests.support.paths import STUDIES
from tests.support.small_plans import planned


def keys(plan: Plan) -> list[str]:
    """Of what is trained."""
    return [spec.key for spec in plan.fits]


def ids(plan: Plan) -> list[str]:
    return [trial.id for trial in plan.trials]


THUMOS_GRID = {
    "lambda_sep": (1, [0.25, 0.5, 2, 4]),
    "beta_aff": (0.8, [0.4, 0.6, 1, 1.2]),
    "tau_same": (0.5, [0.3, 0.4, 0.6, 0.7]),
    "tau_diff": (0.1, [-0.1, 0, 0.2, 0.3]),
    "embedding_dim": (32, [8, 16, 64, 128]),
    "kernel_size": (3, [1, 5, 7, 9]),
    "k_ratio": (1 / 8, [1 / 16, 1 / 12, 1 / 6, 1 / 4]),
}


def test_thumos_grid_is_29_cells_around_the_centre():
    plan = planned("thumos_grid")
    centre = {axis: value for axis, (value, _) in THUMOS_GRID.items()}
    others = [{**centre, axis: value} for axis, (_, values) in THUMOS_GRID.items() for value in values]
    assert list(plan.cells) == [centre, *others]
    assert len(plan.cells) == 29
    assert [trial.cell for trial in plan.trials] == list(plan.cells)
    assert [spec.cell for spec in plan.fits] == list(plan.cells)
    for spec in plan.fits:
        assert spec.settings == ()
        assert spec.hyperparameters == {**plan.centre, **spec.cell}
        assert (spec.seed, spec.annotator, spec.precision) == (0, "A1", "bf16")
        assert spec.protocol == {
            "evaluation": "activitynet", "tiou": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], "selection": "last",
            "holdout_fraction": 0.2, "holdout_seed": 0, "evaluate_every": 5,
        }  # fmt: skip
        Hyperparameters(**spec.hyperparameters)
    assert len(set(keys(plan))) == 29
    assert ids(plan) == keys(plan)


def test_the_other_studies():
    single = planned("thumos_single")
    assert single.cells == ({},)
    assert len(single.trials) == len(single.fits) == 1
    assert single.fits[0].annotator == "A1"
    quick = planned("quickstart")
    assert quick.dataset.source == "simulated"
    assert len(quick.cells) == len(quick.trials) == len(quick.fits) == 5


def test_settings_come_from_defaults_then_preset_then_study():
    plan = planned("thumos_grid", "hyperparameters.epochs=3", "inference.nms=.4", "hyperparameters.beta_aff=.6")
    preset = methods.specification("backtal").presets["simulated"]
    assert plan.preset == "simulated"
    assert plan.dataset.snippets == preset.snippets
    assert "snippets" not in plan.centre
    assert plan.centre["learning_rate"] == preset.hyperparameters["learning_rate"]
    assert (plan.centre["epochs"], plan.centre["weight_decay"]) == (3, 5e-4)
    assert plan.inference["nms"] == 0.4
    # .6 is the centre now, so this axis has one cell fewer: its value .6 is the centre, while .8 is not asked for.
    assert len(plan.cells) == 28
    assert plan.centre_cell["beta_aff"] == 0.6
    assert planned("thumos_grid", "dataset.snippets=70").dataset.snippets == 70
    named = planned("thumos_grid", "preset=release")
    assert (named.centre["variant"], named.inference["overlap"], named.dataset.snippets) == ("release", "release", 750)


def test_all_repeats_of_the_centre_come_first():
    plan = planned("quickstart", "search.repeats={seeds:[2,1],annotators:[A2,uniform]}")
    assert len(plan.trials) == 20
    assert [trial.repeat for trial in plan.trials[:4]] == [(2, "A2"), (2, "uniform"), (1, "A2"), (1, "uniform")]
    assert plan.repeats == [trial.repeat for trial in plan.trials[:4]]
    assert all(trial.cell == plan.centre_cell for trial in plan.trials[:4])
    assert preview(plan)[:3] == (5, 4, 20)


def test_an_annotator_without_clicks_is_named_with_its_place():
    study = load_study("quickstart", [], STUDIES)
    with pytest.raises(InputError) as raised:
        planned("quickstart", "search.repeats.annotators=[A1,A9,B]")
    place = "command line: search.repeats.annotators=[A1,A9,B]: search.repeats.annotators has"
    assert [p[: len(place) + 5] for p in raised.value.problems] == [f"{place} 'A9'", f"{place} 'B',"]
    assert "found: A1, A2, A3" in raised.value.problems[0]
    file = dataclasses.replace(study.search.repeats, annotators=("A9",))
    with pytest.raises(InputError, match=re.escape("studies/quickstart.yaml:")):
        resolve(dataclasses.replace(study, search=dataclasses.replace(study.search, repeats=file)))


def test_a_missing_annotator_is_reported_with_the_other_problems():
    with pytest.raises(InputError) as raised:
        load_study("quickstart", ["search.repeats.annotators=[A9]", "hyperparameters.kernel_size=4"], STUDIES)
    assert len(raised.value.problems) == 2
    assert "kernel_size is 4" in raised.value.problems[0]
    assert "has 'A9', who has no click file" in raised.value.problems[1]


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("inference.activation_low=.25", "command line: inference.activation_low=.25: "),
        (
            "search.axes.inference.attention_high=[.9,.3]",
            "command line: search.axes.inference.attention_high=[.9,.3]: ",
        ),
    ],
)
def test_thresholds_that_leave_nothing_are_refused(override, place):
    with pytest.raises(InputError) as raised:
        planned("thumos_single", override)
    (sentence,) = raised.value.problems
    assert sentence.startswith(place + "inference.")
    assert sentence.endswith("the first must be smaller")


def test_a_method_of_one_stream_is_refused_the_rule_of_two():
    for override in ("inference.rule=streams", "search.axes.inference.rule=[streams]"):
        with pytest.raises(InputError) as raised:
            planned("thumos_single", override)
        (sentence,) = raised.value.problems
        assert sentence.endswith("inference.rule is streams, but backtal has one stream; give thresholds or mean")
    assert planned("thumos_single", "method=dgam").inference["rule"] == "streams"
    assert planned("thumos_single", "method=dgam", "inference.rule=thresholds").inference["rule"] == "thresholds"


def test_studies_share_the_trials_they_have_in_common():
    wide = keys(planned("quickstart", "search.axes.lambda_sep=[.25,2,4]"))
    assert set(keys(planned("quickstart"))) < set(wide)
    whole = keys(planned("quickstart", "search.axes.kernel_size=[3,1]"))
    assert len(whole) == 4  # 3 is the centre


VALUES = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)
AXES = st.dictionaries(st.sampled_from(["tau", "beta", "h", "inference.nms"]), VALUES, max_size=4)


@given(axes=AXES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_grid_is_the_product_and_one_at_a_time_the_sum(axes, data):
    centre = {axis: data.draw(st.integers(0, 9)) for axis in axes}
    search = SearchSettings(plan="grid", axes={axis: tuple(values) for axis, values in axes.items()})
    grid = cells(search, centre)
    added = bool(left_out(search, centre))
    assert len(grid) == math.prod(len(values) for values in axes.values()) + added
    assert len({tuple(cell.items()) for cell in grid}) == len(grid)
    assert added != all(centre[axis] in values for axis, values in axes.items())
    assert grid[0] == centre
    assert centre not in grid[1:]
    single = cells(dataclasses.replace(search, plan="one_at_a_time"), centre)
    assert single[0] == centre
    assert len(single) == 1 + sum(value != centre[axis] for axis, values in axes.items() for value in values)
    for cell in single[1:]:
        assert list(cell) == list(axes)
        assert sum(cell[axis] != centre[axis] for axis in axes) == 1


@given(
    values=st.lists(st.sampled_from([0.1, 0.25, 1.0, 2.0, 4.0]), min_size=1, max_size=4, unique=True),
    taps=st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=3, unique=True),
    seeds=st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
)
@settings(max_examples=15, deadline=None)
def test_no_two_trials_of_a_study_have_one_key(values, taps, seeds):
    overrides = (
        "search.plan=grid",
        f"search.axes={{lambda_sep:{values},kernel_size:{taps}}}",
        f"search.repeats.seeds={seeds}",
    )
    plan = planned("quickstart", *overrides)
    asked = len(values) * len(taps) + (1.0 not in values or 3 not in taps)  # the centre is a cell in any case
    assert len(set(keys(plan))) == len(plan.trials) == len(plan.fits) == asked * len(seeds)


@pytest.mark.parametrize(("plan", "selection"), [("one_at_a_time", "last"), ("sampler", "holdout")])
def test_auto_selects_by_held_out_videos_where_a_sampler_chooses(plan, selection):
    space = ["~search.axes", "search.space={lambda_sep:{low:.5,high:2}}", "budget.trials=4"]
    found = planned("quickstart", f"search.plan={plan}", *(space if plan == "sampler" else []))
    assert found.protocol["selection"] == selection
    assert planned("quickstart", "protocol.selection=holdout").protocol["selection"] == "holdout"


def test_a_sampler_has_a_centre_and_repeats_but_no_cells_yet():
    space = "search.space={lambda_sep:{low:.5,high:2},inference.nms:{low:.3,high:.7}}"
    found = planned("quickstart", "search.plan=sampler", "~search.axes", space, "budget.trials=4")
    assert found.cells == found.trials == found.fits == ()
    assert found.axes == ("lambda_sep", "inference.nms")
    assert found.centre_cell == {"lambda_sep": 1.0, "inference.nms": 0.55}
    assert found.repeats == [(0, "A1")]


def test_a_study_is_a_plain_record_with_a_place_for_each_key():
    study = load_study("quickstart", ["runs=here"], STUDIES)
    assert isinstance(study, Study)
    assert study.place("runs") == "command line: runs=here"
    line = (STUDIES / "quickstart.yaml").read_text().splitlines().index("  repeats:") + 1
    assert study.place("search.repeats") == f"studies/quickstart.yaml:{line}"
    assert study.place("search.repeats.nothing") == f"studies/quickstart.yaml:{line}"
    assert study.place("tracking.uri") == "studies/quickstart.yaml"


def test_features_on_disk_take_the_paper_or_release_preset(root):
    given = f"dataset.root={root}"
    plan = resolve(load_study("thumos_grid", [given], STUDIES))
    assert (plan.dataset.source, plan.preset, plan.dataset.snippets) == ("features", "paper", 750)
    assert plan.annotators == ("A1", "A2")
    assert len(plan.trials) == len(plan.fits) == 29 * 2
    release = resolve(load_study("thumos_single", [given, "hyperparameters.variant=release"], STUDIES))
    assert (release.preset, release.inference["overlap"], release.centre["epochs"]) == ("release", "release", 40)
    with pytest.raises(InputError, match=r"found: A1, A2"):
        resolve(load_study("thumos_single", [given, "search.repeats.annotators=[uniform]"], STUDIES))
