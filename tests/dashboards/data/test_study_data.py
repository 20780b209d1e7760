"""Selections in URLs, and the files of a study's fits."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_dashboards.data.study_data import query_of, selection_of
from tal_search.errors import InputError
from tal_search.trial.folder import TrialFolder
from tal_search.types import BACKGROUND_CLICKS
from tests.support.small_dashboards import Made

names = st.text(min_size=1, max_size=20)


def test_what_a_fit_keeps_is_read_from_its_folder(swept: Made) -> None:
    data = swept.read()
    key = data.trials["key"].iloc[0]
    folder = TrialFolder.of(swept.runs, key)
    assert data.spec(key).key == key
    assert data.epochs(key).equals(pd.read_parquet(folder.epochs))
    assert data.activations(key).cas.shape == (20, 21, 60)
    assert data.truth(key).videos == data.activations(key).videos == data.detections(key).videos
    assert len(data.truth(key, "train").videos) == 40
    clicks = data.clicks(key, BACKGROUND_CLICKS, "A1")
    assert clicks.videos == data.truth(key, "train").videos
    assert len(clicks.time) > 0


@pytest.mark.parametrize("key", ["../../../etc/passwd", "/etc/passwd", "", "0" * 20, ".."])
def test_only_a_key_of_the_study_names_a_folder(swept: Made, key: str) -> None:
    data = swept.read()
    for read in (data.folder, data.epochs, data.spec, data.activations, data.detections, data.truth):
        with pytest.raises(InputError, match="has no trial of the key"):
            read(key)


@given(st.dictionaries(names, st.text(min_size=1, max_size=20), max_size=5))
def test_a_selection_comes_back_from_its_query(selection: dict[str, str]) -> None:
    assert dict(selection_of(query_of(selection))) == selection


def test_a_selection_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        selection_of("?a=1")["a"] = "2"  # type: ignore[index]
    assert not selection_of("")
    assert not selection_of("?")


def test_a_missing_file_names_what_to_do(swept: Made, tmp_path: Path) -> None:
    data = swept.read()
    key = str(data.trials["key"].iloc[0])
    shutil.copytree(TrialFolder.of(swept.runs, key).path, TrialFolder.of(tmp_path, key).path)
    moved = replace(data, runs=tmp_path)
    assert moved.detections(key).videos == data.detections(key).videos
    TrialFolder.of(tmp_path, key).cas.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"cas\.npz is damaged \(it has .* remove it, and the same `run` command"):
        moved.activations(key)
    cas = TrialFolder.of(tmp_path, key).cas
    cas.unlink()
    for read in (moved.activations, moved.results):
        with pytest.raises(InputError) as caught:
            read(key)
        again = "the same `run` command trains the trial again"
        assert str(caught.value) == f"{cas} is damaged (it is missing); {again}"


def test_the_head_of_a_page_names_method_data_and_selection(swept: Made) -> None:
    assert swept.read().words.startswith("backtal on thumos14, ")
    assert "Selection: " in swept.read().words
