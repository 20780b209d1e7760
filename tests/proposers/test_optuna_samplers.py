"""Optuna's samplers through the study's proposer, on a real record: seeds, restarts, parallel proposals, options."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from scipy.stats import qmc

from tal_search.proposers.optuna_samplers import NumberedSampler, draw, pruner_for
from tal_search.record import optuna_tables
from tal_search.study import Dimension, PrunerSettings, SamplerSettings
from tal_search.study.samplers import SAMPLERS
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.sampled_plans import CENTRE, SPACE, advance, finish, proposed, proposer, sampled_plan, stored

pytestmark = pytest.mark.usefixtures("one_thread")

# Options with which each sampler learns from a few cells already.
EARLY: dict[str, dict[str, Any]] = {
    "random": {}, "qmc": {}, "tpe": {"n_startup_trials": 3}, "gp": {"n_startup_trials": 3},
    "cmaes": {"n_startup_trials": 2, "popsize": 4}, "nsgaii": {"population_size": 3},
}  # fmt: skip
CELLS = 7
Undisturbed = Callable[[str], list[dict[str, Any]]]


def cells_of(sampler: str) -> int:
    """Fewer of a sampler that takes its time."""
    return 5 if sampler == "gp" else CELLS


def proposals(
    runs: Path, stops: tuple[int, ...], sampler: str, seed: int = 0, cells: int | None = None
) -> list[dict[str, Any]]:
    """The cells of a sequential study whose driver is killed after so many answers, with one more cell begun."""
    cells = cells or cells_of(sampler)
    plan = sampled_plan(runs, sampler=sampler, seed=seed, options=EARLY[sampler], trials=cells)
    known: dict[str, TrialResult] = {}
    for stop in stops:
        with proposer(plan, known) as sampled:
            assert advance(sampled, known, stop) == stop
            assert isinstance(sampled.ask(), TrialSpec)
    with proposer(plan, known) as sampled:
        advance(sampled, known, 100)
        assert sampled.ask() is None
    assert {trial.state.name for trial in stored(plan, ": cells")} == {"COMPLETE"}
    return proposed(plan)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The cells of a sampler's study that was never interrupted, run once."""
    return cache(lambda sampler: proposals(tmp_path_factory.mktemp(sampler), (), sampler))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_seed_decides_and_a_restart_changes_nothing(sampler: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    whole = undisturbed(sampler)
    assert len(whole) == cells_of(sampler)
    if sampler != "nsgaii":  # whose children may be copies of a parent
        assert max(Counter(json.dumps(cell, sort_keys=True) for cell in whole).values()) == 1
    assert proposals(tmp_path / "b", (1, 2), sampler) == whole
    other = proposals(tmp_path / "c", (), sampler, seed=1, cells=2)
    assert all(mine != theirs for mine, theirs in zip(whole, other, strict=False))


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "cmaes", "nsgaii"])
@pytest.mark.parametrize("kept", [False, True])
def test_a_kill_while_a_cell_is_written_changes_nothing(
    sampler: str, kept: bool, undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell is in the record whole or not at all."""
    plan = sampled_plan(tmp_path / "killed", sampler=sampler, options=EARLY[sampler], trials=CELLS)
    known: dict[str, TrialResult] = {}
    for before in range(3):
        with proposer(plan, known) as sampled:
            advance(sampled, known, 1 if before else 3)
            cells = len(stored(plan, ": cells"))
            with monkeypatch.context() as patch:
                patch.setattr(optuna_tables, "add_trials", dying(kept))
                with pytest.raises(KeyboardInterrupt):
                    sampled.ask()
        found = stored(plan, ": cells")
        assert len(found) == cells + kept
        if kept:
            assert found[-1].state.name == "RUNNING"
            assert len(found[-1].params) >= len([name for name in SPACE if not SPACE[name].when])
    with proposer(plan, known) as sampled:
        advance(sampled, known, 100)
    assert proposed(plan) == undisturbed(sampler)


def dying(kept: bool) -> Callable[..., None]:
    """A write whose driver is killed before it, or once it is done."""
    plain = optuna_tables.add_trials

    def die(*given: Any, **more: Any) -> None:
        if kept:
            plain(*given, **more)
        raise KeyboardInterrupt

    return die


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_parallel_proposals_differ(sampler: str, tmp_path: Path) -> None:
    continuous = {name: SPACE[name] for name in ("lambda_sep", "beta_aff")}
    plan = sampled_plan(tmp_path, sampler=sampler, options=EARLY[sampler], space=continuous, trials=16)
    known: dict[str, TrialResult] = {}
    with proposer(plan, known) as sampled:
        asked = [sampled.ask() for _ in range(4)]  # before any answer
        for spec in asked:
            assert isinstance(spec, TrialSpec)
            finish(sampled, known, spec)
        if sampler != "nsgaii":  # whose children may be copies of a parent
            advance(sampled, known, 4)
            asked += [sampled.ask() for _ in range(4)]  # with answers to learn from
    assert len({spec.key for spec in asked if isinstance(spec, TrialSpec)}) == len(asked)
    cells = [tuple(cell.values()) for cell in proposed(plan)]
    apart = [abs(one[axis] - other[axis]) for one in cells for other in cells if one is not other for axis in (0, 1)]
    assert min(apart) > 0
    assert len(cells) == (4 if sampler == "nsgaii" else 12)


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        ("qmc", {"qmc_type": "halton", "scramble": False}),
        ("tpe", {"n_startup_trials": 2, "n_ei_candidates": 3, "multivariate": False, "constant_liar": False}),
        ("tpe", {"n_startup_trials": 2, "multivariate": True, "group": True}),
        ("gp", {"n_startup_trials": 2, "deterministic_objective": True}),
        ("cmaes", {"n_startup_trials": 0, "popsize": 4, "with_margin": True, "consider_pruned_trials": True}),
        ("nsgaii", {"population_size": 2, "crossover_prob": 0.5, "swapping_prob": 0.4, "mutation_prob": 0.5}),
    ],
)
def test_every_option_is_optunas(sampler: str, options: dict[str, Any], tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler=sampler, options=options, trials=6)
    with proposer(plan) as sampled:
        assert advance(sampled, {}, 100) == 6


def test_no_option_is_left_out_of_the_test_above() -> None:
    marks = test_every_option_is_optunas.pytestmark  # type: ignore[attr-defined]
    tried = {(sampler, name) for sampler, options in marks[0].args[1] for name in options}
    assert tried == {(name, option) for name, cls in SAMPLERS.items() for option in cls.__dataclass_fields__}


def test_qmc_follows_one_sequence_over_the_whole_space_conditions_included(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler="qmc", seed=3, trials=16)
    with proposer(plan) as sampled:
        advance(sampled, {}, 16)
    points = qmc.Sobol(len(SPACE), seed=3).random(16)
    for cell, point in zip(proposed(plan), points, strict=True):
        at = dict(zip(SPACE, point, strict=True))
        assert cell["lambda_sep"] == pytest.approx(0.25 * 16 ** at["lambda_sep"])
        assert cell["affinity"] is bool(at["affinity"] < 0.5)
        assert ("kernel_size" in cell) is cell["affinity"]


def test_cmaes_goes_on_learning_where_conditions_change_the_space(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler="cmaes", options=EARLY["cmaes"], trials=12)
    with proposer(plan) as sampled:
        advance(sampled, {}, 12)
    cells = stored(plan, ": cells")
    assert {cell.params["affinity"] for cell in cells[:4]} == {True, False}
    assert ["cma:generation" in cell.system_attrs for cell in cells] == [False] * 2 + [True] * 10
    assert max(cell.system_attrs.get("cma:generation", 0) for cell in cells) == 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_dimension_that_is_off_keeps_the_centre_and_is_no_parameter(sampler: str, tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler=sampler, options=EARLY[sampler], trials=cells_of(sampler))
    kernels = []
    with proposer(plan) as sampled:
        while isinstance(spec := sampled.ask(), TrialSpec):
            kernels.append(spec.hyperparameters["kernel_size"])
            finish(sampled, {}, spec)
    cells = proposed(plan)
    assert {cell["affinity"] for cell in cells} == {True, False}
    for cell, kernel in zip(cells, kernels, strict=True):
        assert ("kernel_size" in cell) is cell["affinity"]
        assert kernel == cell.get("kernel_size", CENTRE["kernel_size"])
        assert kernel % 2 == 1


def test_drawn_values_keep_their_types() -> None:
    space = {
        "hidden": Dimension(choices=(None, 8)),
        "variant": Dimension(choices=("paper", "release")),
        "rate": Dimension(low=0.5, high=1.5, step=0.25),
    }
    study = optuna.create_study(sampler=NumberedSampler(SamplerSettings(name="random"), space))
    cells = [draw(study.ask(), space, {"other": 1}) for _ in range(60)]
    assert {cell["variant"] for cell in cells} == {"paper", "release"}
    assert {cell["hidden"] for cell in cells} == {None, 8}
    assert {cell["rate"] for cell in cells} == {0.5, 0.75, 1.0, 1.25, 1.5}
    assert all(list(cell) == ["other", "hidden", "variant", "rate"] for cell in cells)


def test_a_pruner_starts_at_the_first_evaluation_even_of_a_short_trial() -> None:
    short = pruner_for(PrunerSettings(name="hyperband"), epochs=3, evaluate_every=5)
    study = optuna.create_study(direction="maximize", pruner=short)
    for value in (0.9, 0.1):
        trial = study.ask()
        trial.report(value, 3)
        assert isinstance(trial.should_prune(), bool)  # without any rung, Optuna divides by zero
        study.tell(trial, value)


@pytest.mark.parametrize(
    ("sampler", "dimension"),
    [(name, Dimension(low=0.2, high=2.0)) for name in SAMPLERS] + [("cmaes", Dimension(choices=(0.5, 1.0)))],
)
def test_one_dimension_is_a_space_too(sampler: str, dimension: Dimension, tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler=sampler, options=EARLY[sampler], space={"beta_aff": dimension}, trials=5)
    with proposer(plan) as sampled:
        assert 1 <= advance(sampled, {}, 100) <= 5
    assert len({cell["beta_aff"] for cell in proposed(plan)}) == (len(dimension.choices) or 5)
