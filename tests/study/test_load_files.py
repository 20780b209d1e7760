"""Which studies there are, and where a study's name leads."""

from __future__ import annotations

import pytest
import yaml

from tal_search.errors import InputError
from tal_search.study import list_studies, load_study
from tests.support.paths import STUDIES


@pytest.mark.parametrize("name", ["quikstart", "../quickstart", "quickstart.yaml", "", "/etc/passwd", "a b"])
def test_an_unknown_study_names_the_nearest_and_lists_all(name):
    with pytest.raises(InputError) as raised:
        load_study(name, [], STUDIES)
    (sentence,) = raised.value.problems
    assert sentence.startswith(f"study={name} is unknown")
    assert f"studies found: {', '.join(sorted(path.stem for path in STUDIES.glob('*.yaml')))} (files" in sentence
    if name == "quikstart":
        assert "did you mean 'quickstart'?" in sentence


def test_a_study_of_the_working_directory_comes_first(tmp_path, monkeypatch):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "quickstart.yaml").write_text("description: mine")
    monkeypatch.chdir(tmp_path)
    assert load_study("quickstart", []).description == "mine"
    assert load_study("thumos_single", []).search.repeats.annotators == ("A1",)
    listed = {study.name: study.description for study in list_studies()}
    assert listed["quickstart"] == "mine"
    assert {"quickstart", "thumos_grid", "thumos_single"} <= listed.keys()


def test_listing_survives_a_broken_file(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [1")
    (tmp_path / "plain.yaml").write_text("description: |\n  first line\n  second line\n")
    listed = {study.name: study.description for study in list_studies(tmp_path)}
    assert listed["bad"] == "cannot be read"
    assert listed["plain"] == "first line"
    assert listed["thumos_grid"] == yaml.safe_load((STUDIES / "thumos_grid.yaml").read_text())["description"]
