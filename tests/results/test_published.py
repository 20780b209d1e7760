"""Published numbers: which of them are of the best epoch on the test split, and those that were found late."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from tal_search.data.catalog import DATASETS
from tal_search.results.published import (
    BEST_ON_TEST,
    CELLS,
    MARK,
    NOT_AVAILABLE,
    SELECTIONS,
    SYSTEMS,
    marked,
    published_cells,
    published_systems,
)
from tests.support.paths import ROOT

CHOSEN_ON_TEST = {"BackTAL", "BaS-Net", "DGAM", "SF-Net"}  # what their released code does


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_numbers_of_releases_that_choose_the_epoch_on_test_say_so(dataset: str) -> None:
    for name, system in published_systems(dataset).items():
        on_test = name in CHOSEN_ON_TEST or name.startswith("Table ")
        assert system.selection == (BEST_ON_TEST if on_test else SELECTIONS[""]), name
    assert {cell.selection for cell in published_cells("backtal", dataset)} <= {BEST_ON_TEST}


@pytest.mark.parametrize("path", [SYSTEMS, CELLS], ids=lambda path: path.stem)
def test_every_published_number_has_a_source_and_a_known_selection(path: Path) -> None:
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    assert all(row["source"] and row["selection"] in SELECTIONS and 0 < float(row["mAP"]) < 100 for row in rows)
    keys = [tuple(value for name, value in row.items() if name not in ("mAP", "source", "selection")) for row in rows]
    assert len(set(keys)) == len(keys)


def test_what_sfnet_and_dgam_published_on_the_smaller_and_the_larger_set() -> None:
    dgam = published_systems("activitynet12")["DGAM"]
    assert dgam.mAP == {"0.5": 41.0, "0.75": 23.5, "0.95": 5.3, "0.5:0.95": 24.4}
    assert published_systems("beoid")["SF-Net"].mAP == {"0.1:0.7": 30.1, "0.7": 3.5}
    assert "SF-Net" not in published_systems("gtea"), "its table is in none of our sources"


def test_text_tables_mark_numbers_of_the_best_epoch_on_test() -> None:
    assert marked(36.25, BEST_ON_TEST) == f"36.2 {MARK}"
    assert marked(73.9, SELECTIONS[""]) == "73.9"
    assert marked(math.nan, BEST_ON_TEST) == NOT_AVAILABLE


def test_the_words_are_written_once() -> None:
    files = [*(ROOT / "tal_search").rglob("*.py"), *(ROOT / "dashboards").rglob("*.py")]
    assert [file.name for file in files if f'"{BEST_ON_TEST}"' in file.read_text()] == ["published.py"]
