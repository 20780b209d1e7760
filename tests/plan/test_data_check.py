"""The data of a plan is checked alike by a preview, by a run and by `data check`: every dirty file is named."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.cli.commands import data, run
from tal_search.data.features.cache import convert
from tal_search.plan.data_check import check_data, left_to_train
from tal_search.plan.plan import resolve
from tal_search.study import load_study
from tests.support.dirty_datasets import DIRTY, npz
from tests.support.make_dataset import change, found, make_dataset, problems_of
from tests.support.small_plans import planned

STUDY = ("study=thumos_single", "backend=inline", "tracking.mlflow=false", "search.repeats.annotators=[A1]")


@pytest.mark.parametrize("name", DIRTY)
def test_a_preview_names_what_the_run_refuses(tmp_path: Path, name: str) -> None:
    dirty, root, runs = DIRTY[name], make_dataset(tmp_path / "data"), tmp_path / "runs"
    dirty.edit(root)
    arguments = [*STUDY, f"dataset.root={root}", f"runs={runs}", *dirty.overrides]
    previewed = problems_of(lambda: run.command([*arguments, "--preview"]))
    assert dirty.says.format(root=root) in previewed[0]
    assert problems_of(lambda: run.command(arguments)) == previewed
    assert not runs.exists(), "nothing is written"
    if not dirty.of_study:
        settings = [override.removeprefix("dataset.") for override in dirty.overrides]
        assert set(problems_of(lambda: data.command(["check", str(root), *settings]))) >= set(previewed)


def test_a_preview_gives_the_notes_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(tmp_path / "data")
    change(npz(root), frame_num="4100")
    few = [f"dataset.root={root}", f"runs={tmp_path / 'runs'}", "hyperparameters.epochs=1", "dataset.snippets=20"]
    assert run.command([*STUDY, *few, "--preview"]) == 0
    previewed = capsys.readouterr().out
    note = f"WARNING: {root}/val: video_val_0001 has 4100 frames at 10 a second and lasts 41 s; correct one of them"
    assert note in previewed
    assert run.command([*STUDY, *few]) == 0
    assert note in capsys.readouterr().out
    plan = resolve(load_study("thumos_single", [*STUDY[1:], *few]))
    assert (left_to_train(plan), check_data(plan)) == (0, []), "nothing is read once all is trained"
    change(npz(root), frame_num="4200")
    plan = resolve(load_study("thumos_single", [*STUDY[1:], *few]))
    assert (left_to_train(plan), len(check_data(plan))) == (1, 1), "other content is another dataset"


def test_a_sampler_may_always_train_more(tmp_path: Path) -> None:
    plan = planned("quickstart", f"runs={tmp_path}")
    assert left_to_train(plan) == len(plan.fits)
    sampled = replace(plan, study=replace(plan.study, search=replace(plan.study.search, plan="sampler")))
    assert left_to_train(sampled) == math.inf


def test_cases_of_another_length_than_was_converted_are_named(tmp_path: Path) -> None:
    root, out = make_dataset(tmp_path / "data"), tmp_path / "converted"
    convert(replace(found(root), snippets=750), out, [])
    cases = "search.cases={one:{method:backtal},two:{method:dgam}}"
    given = ["search.plan=cases", cases, f"dataset.root={out}", f"runs={tmp_path / 'runs'}"]
    plan = resolve(load_study("thumos_single", [*STUDY[1:], *given]))
    (problem,) = problems_of(lambda: check_data(plan))
    assert "was converted to 750 snippets, and 400 are wanted" in problem
