"""The space a sampler draws from: ranges keep both ends and their rules, conditions are what the file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.config.checking import Checker
from tal_search.config.yaml_reader import Written
from tal_search.methods.backtal import Hyperparameters
from tal_search.proposers.optuna_samplers import NumberedSampler, distributions, draw, spanned
from tal_search.study import Dimension, SamplerSettings
from tal_search.study.settings import Study
from tal_search.study.space import read_space
from tests.support.study_files import load

HEAD = "search:\n  plan: sampler\nbudget: {trials: 4}\n"


def read(content: dict[str, Any]) -> dict[str, Dimension]:
    written = Written("x.yaml")
    space = read_space(Checker(written, Study, {}), Hyperparameters, {}, content, ("search", "space"))
    assert list(written.problems) == []
    return space


def test_a_file_says_ranges_choices_and_conditions(tmp_path: Path) -> None:
    text = """\
search:
  plan: sampler
  space:
    k_ratio: {low: 1/16, high: 1/4, log: true}
    variant: [paper, release]
    affinity: {choices: [true, false]}
    hidden_channels: [null, 64]
    kernel_size: {low: 1, high: 9, when: {affinity: true, variant: [paper, release]}}
    embedding_dim: {low: 8, high: 32, step: 8, when: {kernel_size: [3, 5]}}
    inference:
      nms: {low: 0.4, high: 0.7, step: 0.1}
    inference.score_weight: [0, 0.2]
budget: {trials: 4}
"""
    assert load(tmp_path, text).search.space == {
        "k_ratio": Dimension(low=1 / 16, high=1 / 4, log=True),
        "variant": Dimension(choices=("paper", "release")),
        "affinity": Dimension(choices=(True, False)),
        "hidden_channels": Dimension(choices=(None, 64)),
        "kernel_size": Dimension(low=1, high=9, step=2, when={"affinity": (True,), "variant": ("paper", "release")}),
        "embedding_dim": Dimension(low=8, high=32, step=8, when={"kernel_size": (3, 5)}),
        "inference.nms": Dimension(low=0.4, high=0.7, step=0.1),
        "inference.score_weight": Dimension(choices=(0.0, 0.2)),
    }


def test_the_command_line_changes_one_end(tmp_path: Path) -> None:
    text = HEAD + "search.space: {lambda_sep: {low: 0.25, high: 4, log: true}}\n"
    space = load(tmp_path, text, "search.space.lambda_sep.high=8", "search.space.beta_aff=[0.4,0.8]").search.space
    assert space["lambda_sep"] == Dimension(low=0.25, high=8.0, log=True)
    assert space["beta_aff"] == Dimension(choices=(0.4, 0.8))


whole = st.tuples(st.integers(1, 200), st.integers(1, 60), st.integers(1, 9))
odd = st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(1, 3))


def drawn(space: dict[str, Dimension], cells: int, seed: int = 0, centre: dict[str, Any] | None = None) -> list[Any]:
    study = optuna.create_study(sampler=NumberedSampler(SamplerSettings(name="random", seed=seed), space))
    return [draw(study.ask(), space, centre or {}) for _ in range(cells)]


def reaches(space: dict[str, Dimension], name: str, value: Any) -> bool:
    """Whether a sampler may choose the value; Optuna warns, and so fails the test, where it is out of range."""
    fixed = optuna.trial.FixedTrial({name: value})
    return bool(draw(fixed, space, {})[name] == value)


@settings(max_examples=60, deadline=None)
@given(whole, st.integers(0, 1000))
def test_whole_ranges_keep_both_ends_and_their_step(ends: tuple[int, int, int], seed: int) -> None:
    low, steps, step = ends
    high = low + steps * step
    space = read({"embedding_dim": {"low": low, "high": high, "step": step}})
    assert reaches(space, "embedding_dim", low)
    assert reaches(space, "embedding_dim", high)
    for cell in drawn(space, 8, seed):
        value = cell["embedding_dim"]
        assert type(value) is int
        assert low <= value <= high
        assert (value - low) % step == 0


@settings(max_examples=40, deadline=None)
@given(odd, st.integers(0, 1000))
def test_odd_ranges_stay_odd_and_keep_both_ends(ends: tuple[int, int, int], seed: int) -> None:
    low, high = 2 * ends[0] + 1, 2 * ends[0] + 1 + 2 * ends[1] * ends[2]
    steps = [{}, {"step": 2 * ends[2]}]
    for step in steps:
        space = read({"kernel_size": {"low": low, "high": high, **step}})
        values = [cell["kernel_size"] for cell in drawn(space, 6, seed)]
        assert all(value % 2 == 1 and low <= value <= high for value in values)
        assert reaches(space, "kernel_size", low)
        assert reaches(space, "kernel_size", high)


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_small_whole_ranges_are_drawn_at_both_ends(sampler: str) -> None:
    space = read({"embedding_dim": {"low": 3, "high": 6}, "batch_size": {"low": 1, "high": 8, "log": True}})
    study = optuna.create_study(sampler=NumberedSampler(SamplerSettings(name=sampler), space))  # type: ignore[arg-type]
    cells = []
    for _ in range(80):
        trial = study.ask()
        cells.append(draw(trial, space, {}))
        study.tell(trial, 0.0)
    assert {cell["embedding_dim"] for cell in cells} == {3, 4, 5, 6}
    assert {1, 8} <= {cell["batch_size"] for cell in cells} <= set(range(1, 9))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1e-6, 10), st.floats(1.001, 1e6), st.booleans(), st.sampled_from(["lambda_sep", "learning_rate"]),
    st.integers(0, 1000),
)  # fmt: skip
def test_continuous_ranges_hold_what_is_drawn(low: float, factor: float, log: bool, name: str, seed: int) -> None:
    high = low * factor
    space = read({name: {"low": low, "high": high, "log": log}})
    assert all(low <= cell[name] <= high and cell[name] > 0 for cell in drawn(space, 6, seed))
    assert reaches(space, name, low)
    assert reaches(space, name, high)


def test_a_logarithmic_range_is_even_by_factors() -> None:
    space = read({"learning_rate": {"low": 1e-6, "high": 1e-2, "log": True}})
    values = [cell["learning_rate"] for cell in drawn(space, 400)]
    assert 0.4 < sum(value < 1e-4 for value in values) / 400 < 0.6


def test_conditions_follow_the_cell_and_chains_of_them() -> None:
    space = read({
        "variant": ["paper", "release"],
        "kernel_size": {"low": 1, "high": 9, "when": {"variant": "paper"}},
        "embedding_dim": {"low": 8, "high": 64, "when": {"kernel_size": [1, 3]}},
    })  # fmt: skip
    centre = {"variant": "paper", "kernel_size": 5, "embedding_dim": 99}
    cells = drawn(space, 200, centre=centre)
    for cell in cells:
        if cell["variant"] == "release":
            assert cell["kernel_size"] == 5
        assert (cell["embedding_dim"] == 99) is (cell["kernel_size"] not in (1, 3))
    assert {cell["variant"] for cell in cells} == {"paper", "release"}
    assert any(cell["embedding_dim"] != 99 for cell in cells)


def test_what_the_record_is_told_of_a_space_holds_all_that_is_drawn() -> None:
    space = read({
        "kernel_size": {"low": 1, "high": 9}, "learning_rate": {"low": 1e-6, "high": 1e-2, "log": True},
        "hidden_channels": [None, 8, 16],
    })  # fmt: skip
    told = distributions(space)
    for cell in drawn(space, 50):
        assert all(told[name]._contains(told[name].to_internal_repr(value)) for name, value in cell.items())
    assert spanned(space["kernel_size"]) == optuna.distributions.IntDistribution(1, 9, step=2)
