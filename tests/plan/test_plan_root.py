"""The folder of a plan's features: one that is named is never replaced by simulation."""

from __future__ import annotations

import pytest

from tal_search.errors import InputError
from tal_search.plan.plan import resolve
from tal_search.study import load_study
from tests.support import study_files
from tests.support.make_dataset import make_dataset
from tests.support.paths import STUDIES


def test_features_that_are_not_there_are_never_simulated(tmp_path):
    for source in ("auto", "features"):
        with pytest.raises(InputError, match=f"no features under {tmp_path}, which is empty; give a folder with val/"):
            resolve(load_study("thumos_grid", [f"dataset.source={source}", f"dataset.root={tmp_path}"], STUDIES))


def test_only_a_study_without_root_is_simulated_and_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no features under data/thumos14" in resolve(load_study("thumos_grid", [], STUDIES)).dataset.description
    gtea = resolve(load_study("thumos_grid", ["dataset.name=gtea"], STUDIES))
    assert "no features under data/gtea" in gtea.dataset.description
    make_dataset(tmp_path / "data" / "thumos14")
    assert resolve(load_study("thumos_grid", [], STUDIES)).dataset.source == "features"
    own = "dataset: {name: thumos14, root: data/thumos}"
    with pytest.raises(InputError, match="no features under data/thumos, which does not exist"):
        resolve(study_files.load(tmp_path, own))
    with pytest.raises(InputError, match=r"dataset.root=data/thumos does not exist; correct it, or leave it out"):
        resolve(study_files.load(tmp_path, own, "dataset.source=simulated"))
    (tmp_path / "data" / "thumos").mkdir()
    assert resolve(study_files.load(tmp_path, own, "dataset.source=simulated")).dataset.source == "simulated"
    assert resolve(study_files.load(tmp_path, own, "~dataset.root")).dataset.source == "features"
