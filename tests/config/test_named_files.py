"""Files found by name: the nearest one, and where it is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.config.named_files import Listed, NamedFiles
from tests.support.paths import ROOT

DATASETS = NamedFiles("datasets", dots=False)


def test_the_nearest_file_wins_and_the_list_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").mkdir()
    own = Path("datasets/gtea.yaml")
    own.write_text("description: |\n  mine\n  more\n")
    assert DATASETS.installed == ROOT / "datasets"
    assert DATASETS.files()["gtea"] == own
    assert DATASETS.shown(own) == "datasets/gtea.yaml"
    beoid = DATASETS.files()["beoid"]
    assert DATASETS.shown(beoid) == str(ROOT / "datasets" / "beoid.yaml")
    listed = {item.name: item for item in DATASETS.listed()}
    assert listed["gtea"] == Listed("gtea", "mine", "./datasets", "repository")
    assert (listed["beoid"].origin, listed["beoid"].replaces) == ("repository", "")


def test_in_the_checkout_the_installed_files_are_the_own_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    listed = DATASETS.listed()
    assert {item.replaces for item in listed} == {""}
    assert DATASETS.shown(DATASETS.files()["gtea"]) == "datasets/gtea.yaml"


def test_a_dotted_name_is_one_name_or_a_section(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a.b: 1\n")
    assert DATASETS.read(path, "x.yaml").content() == {"a.b": 1}
    assert NamedFiles("studies").read(path, "x.yaml").content() == {"a": {"b": 1}}
