"""Garbage: arrays in RUNS/features that no study's trial reads, and never others."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tal_search.cli.commands import gc
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.shared import place_of
from tal_search.data.load import LOADED, load
from tal_search.record.garbage import remove, unreferenced
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import found, make_dataset
from tests.support.small_records import write_keys
from tests.support.small_trials import make_spec

LENGTHS = (6, 8, 10)  # snippets: arrays of each are a folder of their own


@pytest.fixture
def trials(tmp_path: Path) -> list[TrialSpec]:
    """Three trials, each with arrays of its own in `runs/features`; the record of a study names the first."""
    root, specs = make_dataset(tmp_path / "data"), []
    for snippets in LENGTHS:
        dataset = replace(found(root), snippets=snippets)
        LOADED.clear()
        load(dataset, "A1", (BACKGROUND_CLICKS,), shared=tmp_path / "runs" / "features")
        specs.append(replace(make_spec(snippets, annotator="A1"), dataset=dataset))
        folder = TrialFolder.of(tmp_path / "runs", specs[-1].key)
        folder.write_spec(specs[-1])
        (folder.path / "lock").touch()
    write_keys(tmp_path / "runs" / "study" / "record.db", [specs[0].key])
    return specs


def arrays(runs: Path, dataset: DatasetSpec) -> Path:
    return place_of(runs / "features", dataset.fingerprint, dataset.snippets)


def folders(runs: Path) -> set[Path]:
    return {path for path in (runs / "features").iterdir() if path.is_dir()}


def test_arrays_that_no_study_uses_are_removed_and_rebuilt_on_demand(
    trials: list[TrialSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    kept, *others = [arrays(runs, spec.dataset) for spec in trials]
    assert folders(runs) == {kept, *others}
    mapped = load(trials[1].dataset, "A1", (), shared=runs / "features").train.features
    before = np.array(mapped)
    assert gc.command([f"runs={runs}"]) == 0
    listed = capsys.readouterr().out
    assert folders(runs) == {kept, *others}
    assert listed.count("features of ") == 2
    assert kept.name not in listed
    assert gc.command(["--yes", f"runs={runs}"]) == 0
    assert folders(runs) == {kept}
    np.testing.assert_array_equal(mapped, before, err_msg="who has mapped them goes on")
    LOADED.clear()
    again = load(trials[1].dataset, "A1", (), shared=runs / "features").train.features
    np.testing.assert_array_equal(again, before)
    assert folders(runs) == {kept, others[0]}


def test_arrays_that_are_read_or_being_built_are_kept(trials: list[TrialSpec], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    kept, running, making = [arrays(runs, spec.dataset) for spec in trials]
    with (TrialFolder.of(runs, trials[1].key).path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with making.with_name(f"{making.name}.lock").open("a") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert {item.path.name for item in unreferenced(runs) if item.running} == {making.name, trials[1].key}
            remove(runs, unreferenced(runs))
            assert folders(runs) == {kept, running, making}
        remove(runs, unreferenced(runs))
        assert folders(runs) == {kept, running}


def test_arrays_of_other_code_and_of_killed_processes_are_removed(trials: list[TrialSpec], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    kept = arrays(runs, trials[0].dataset)
    (runs / "features" / ("0" * 20)).mkdir()
    (runs / "features" / f"{'1' * 20}.unfinished").mkdir()
    own = kept.with_name(f"{kept.name}.unfinished")
    own.mkdir()
    (runs / "features" / "notes").mkdir()
    (runs / "features" / ("2" * 20)).symlink_to(tmp_path / "data", target_is_directory=True)
    found = unreferenced(runs)
    gone = {"0" * 20, f"{'1' * 20}.unfinished"} | {arrays(runs, spec.dataset).name for spec in trials[1:]}
    assert {item.path.name for item in found} == gone | {spec.key for spec in trials[1:]}
    remove(runs, found)
    assert folders(runs) == {kept, own, runs / "features" / "notes", runs / "features" / ("2" * 20)}
    assert (tmp_path / "data").exists()


def test_arrays_of_stored_snippets_are_kept_for_the_trials_that_sample_them(tmp_path: Path) -> None:
    """Trials of two T read the same stored snippets."""
    root, runs = make_dataset(tmp_path / "data"), tmp_path / "runs"
    native = {"training": {"kind": "native"}, "test": {"kind": "native"}}
    specs = []
    for snippets in LENGTHS[:2]:
        dataset = replace(found(root), snippets=snippets, sampling=native)
        LOADED.clear()
        load(dataset, "A1", (BACKGROUND_CLICKS,), shared=runs / "features")
        specs.append(replace(make_spec(snippets, annotator="A1"), dataset=dataset))
        TrialFolder.of(runs, specs[-1].key).write_spec(specs[-1])
    (stored,) = folders(runs)
    write_keys(runs / "study" / "record.db", [specs[0].key])
    assert gc.command(["--yes", f"runs={runs}"]) == 0
    assert folders(runs) == {stored}
    assert not (runs / "trials" / specs[1].key).exists()
    (runs / "study" / "record.db").unlink()
    assert gc.command(["--yes", f"runs={runs}"]) == 0
    assert folders(runs) == set()
