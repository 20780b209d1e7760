"""A study's dataset against the data on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.study import Study, find_dataset, load_study
from tests.support.paths import FIXTURES


def study(tmp_path: Path, *overrides: str) -> Study:
    return load_study("thumos_single", [*overrides, f"runs={tmp_path}", "dataset.source=simulated"])


def test_a_root_that_is_given_exists_even_where_it_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset.root=.*absent does not exist; correct it, or leave it out"):
        find_dataset(study(tmp_path, f"dataset.root={tmp_path / 'absent'}"))
    spec = find_dataset(study(tmp_path, f"dataset.root={tmp_path}"))
    assert (spec.source, spec.description.endswith("; dataset.root is not read")) == ("simulated", True)


@pytest.mark.parametrize("overrides", [(), ("dataset.source=simulated",)])
def test_a_name_without_features_and_file_is_not_simulated(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    asked = load_study("thumos_single", [*overrides, "dataset.name=thumos", f"runs={tmp_path}"])
    words = r'dataset.name is "thumos", of which nothing is known; .*; did you mean .thumos14.\?'
    with pytest.raises(InputError, match=words):
        find_dataset(asked)


def test_an_unknown_dataset_may_be_simulated_on_its_own_timeline(tmp_path: Path) -> None:
    truth = FIXTURES / "thumos14" / "gt_hrpro.json"
    spec = find_dataset(study(tmp_path, "dataset.name=mine", f"dataset.ground_truth={truth}"))
    assert (spec.source, spec.snippets) == ("simulated", 200)
