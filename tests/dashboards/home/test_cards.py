"""Cards of studies: their order, and what is read again when a study changes."""

from __future__ import annotations

import os
from pathlib import Path

from tal_dashboards.data.notes import write_note
from tal_dashboards.home.front import front_layout, standing_answer
from tests.support.dashboard_parts import cards_of, change, words
from tests.support.held_study import held
from tests.support.small_dashboards import Made
from tests.support.small_plans import cell_spec, plan_of, run

STALE = 1_000_000_000  # a time of a file, long ago


def test_the_newest_is_first_by_its_trials_not_by_its_file(swept: Made, compared: Made, copied: Path) -> None:
    for name in (swept.name, compared.name):
        os.utime(copied / name / "record.db", (STALE, STALE))
    for first, second in ((swept.name, compared.name), (compared.name, swept.name)):
        change(copied / first / "record.db", "UPDATE trials SET datetime_complete = '2031-01-02 03:04:05.000006'")
        change(copied / second / "record.db", "UPDATE trials SET datetime_complete = '2030-01-02 03:04:05.000006'")
        assert cards_of(copied).names() == [first, second]
        shown = words(front_layout(cards_of(copied)))
        assert shown.index(first) < shown.index(second)


def test_a_card_is_read_again_only_where_its_study_changed(tmp_path: Path) -> None:
    run(plan_of(tmp_path, [cell_spec(0)]))
    cards = cards_of(tmp_path)
    first, results = cards.standing("grid"), cards.overview("grid")
    assert results.best is not None
    assert results.best["n"] == 1
    mark = cards.mark("grid")
    assert cards.standing("grid") is first
    assert cards.overview("grid") is results
    write_note(tmp_path / "grid", "", "a note", "")
    assert cards.mark("grid") != mark
    assert cards.standing("grid").note == "a note"
    run(plan_of(tmp_path, [cell_spec(0), cell_spec(1)]))
    assert cards.standing("grid").progress.done == 2
    best = cards.overview("grid").best
    assert best is not None
    assert best["n"] == 2


def test_a_driver_is_seen_to_start_and_to_end(tmp_path: Path) -> None:
    run(plan_of(tmp_path, [cell_spec(0)]))
    cards = cards_of(tmp_path)
    ended = cards.mark("grid")
    with held(tmp_path / "grid"):
        assert cards.mark("grid") != ended
        standing, grown = standing_answer(cards, "grid")
        assert "running" in words(standing)
        assert grown == "running 0", "its numbers are read again when it has grown, not with every trial"
    assert "finished" in words(standing_answer(cards, "grid")[0])
