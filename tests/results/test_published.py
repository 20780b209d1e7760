"""Published numbers: which of them are of the best epoch on the test split, and those that were found late."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from tal_search.data.catalog import definition
from tal_search.data.definition import PublishedSystem
from tal_search.results.published import (
    BEST_ON_TEST,
    CELLS,
    MARK,
    NOT_AVAILABLE,
    SELECTIONS,
    marked,
    published_cells,
    published_systems,
)
from tests.support.definitions import INSTALLED as DATASETS
from tests.support.paths import FIXTURES, ROOT

BEFORE = FIXTURES / "presets" / "published_systems_before.csv"  # of all datasets, before each had its own file

CHOSEN_ON_TEST = {"BackTAL", "BaS-Net", "DGAM", "SF-Net"}  # what their released code does


def systems(dataset: str) -> dict[str, PublishedSystem]:
    return published_systems(definition(dataset))


@pytest.mark.parametrize("dataset", DATASETS)
def test_numbers_of_releases_that_choose_the_epoch_on_test_say_so(dataset: str) -> None:
    for name, system in systems(dataset).items():
        on_test = name in CHOSEN_ON_TEST or name.startswith("Table ")
        assert SELECTIONS[system.selection] == (BEST_ON_TEST if on_test else "not stated"), name
    assert {cell.selection for cell in published_cells("backtal", dataset)} <= {BEST_ON_TEST}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_files_of_datasets_have_every_number_that_was_in_one_table() -> None:
    rows = [
        {
            "system": system.system, "dataset": dataset, "supervision": system.supervision,
            "seconds": "" if system.seconds is None else f"{system.seconds:g}", "tiou": tiou, "mAP": str(mAP),
            "selection": system.selection, "source": system.source,
        }
        for dataset in DATASETS
        for system in systems(dataset).values()
        for tiou, mAP in system.mAP.items()
    ]  # fmt: skip
    assert sorted(map(str, rows)) == sorted(map(str, rows_of(BEFORE)))


def test_every_published_cell_has_a_source_and_a_known_selection() -> None:
    rows = rows_of(CELLS)
    assert rows
    assert all(row["source"] and row["selection"] in SELECTIONS and 0 < float(row["mAP"]) < 100 for row in rows)
    keys = [tuple(value for name, value in row.items() if name not in ("mAP", "source", "selection")) for row in rows]
    assert len(set(keys)) == len(keys)


def test_what_sfnet_and_dgam_published_on_the_smaller_and_the_larger_set() -> None:
    dgam = systems("activitynet12")["DGAM"]
    assert dgam.mAP == {"0.5": 41.0, "0.75": 23.5, "0.95": 5.3, "0.5:0.95": 24.4}
    assert systems("beoid")["SF-Net"].mAP == {"0.1:0.7": 30.1, "0.7": 3.5}
    assert "SF-Net" not in systems("gtea"), "its table is in none of our sources"


def test_text_tables_mark_numbers_of_the_best_epoch_on_test() -> None:
    assert marked(36.25, BEST_ON_TEST) == f"36.2 {MARK}"
    assert marked(73.9, SELECTIONS[""]) == "73.9"
    assert marked(math.nan, BEST_ON_TEST) == NOT_AVAILABLE


def test_the_words_are_written_once() -> None:
    files = [*(ROOT / "tal_search").rglob("*.py"), *(ROOT / "dashboards").rglob("*.py")]
    assert [file.name for file in files if f'"{BEST_ON_TEST}"' in file.read_text()] == ["published.py"]
