"""Cards of the front page: their text, and a message where a study cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tal_dashboards.data.notes import FILE, write_note
from tal_dashboards.home.front import front_layout, numbers_answer, standing_answer
from tal_dashboards.style import number
from tal_search.results.cell_table import cells
from tal_search.results.overview import overview
from tests.support.dashboard_parts import cards_of, change, words
from tests.support.small_dashboards import Made
from tests.support.small_plans import cell_spec, plan_of, run


def test_a_card_says_where_a_study_stands_and_what_it_found(swept: Made, copied: Path) -> None:
    write_note(copied / swept.name, "", "\n<b>Looked at</b> on Monday\nmore", "")
    cards = cards_of(copied)
    standing, grown = standing_answer(cards, swept.name)
    assert grown
    shown, changed = words(standing), cards.changed(swept.name)
    assert changed is not None
    for part in ("finished", "12 of 12 trials", "backtal on thumos14", f"changed {changed:%Y-%m-%d %H:%M}",
                 "simulated data", "<b>Looked at</b> on Monday"):  # fmt: skip
        assert part in shown
    assert "more" not in shown
    found, numbers = cells(swept.frame), words(numbers_answer(cards, swept.name))
    centre = found[found["centre"]].iloc[0]
    assert f"centre mAP@0.5{number(centre['mAP@0.5'])} " in numbers
    assert f"best mAP@0.5{number(found['mAP@0.5'].max())} " in numbers
    assert "3 runs" in numbers
    top = overview(swept.frame).ranking.iloc[0]
    assert f"top axis{top['symbol']} ({top['name']}) {top['verdict']}" in numbers
    assert all(f"{number(top[end], 1, '+')} points at " in numbers for end in ("lowest", "highest"))


def test_a_study_of_cases_names_the_case(compared: Made, copied: Path) -> None:
    numbers = words(numbers_answer(cards_of(copied), compared.name))
    assert "top case" in numbers
    found = cells(compared.frame)
    top = found.loc[found["delta"].abs().idxmax()]
    assert f"top case{top['case']} {top['verdict']}" in numbers
    assert f"{number(top['delta'], 1, '+')} points" in numbers


def emptied(record: Path) -> None:
    record.write_bytes(b"")


def overwritten(record: Path) -> None:
    record.write_bytes(b"no database " * 1000)


def undescribed(record: Path) -> None:
    change(record, "UPDATE study_user_attributes SET value_json = '{}' WHERE key = 'about'")


def half_described(record: Path) -> None:
    change(record, "UPDATE study_user_attributes SET value_json = '{\"axes\": 3}' WHERE key = 'about'")


def of_another_name(record: Path) -> None:
    change(record, "UPDATE studies SET study_name = 'another'")


def broken_text(record: Path) -> None:
    change(record, "UPDATE trial_user_attributes SET value_json = '{' WHERE key IN ('cell', 'result')")


def odd_times(record: Path) -> None:
    change(record, "UPDATE trials SET datetime_complete = 'yesterday'")


@pytest.mark.parametrize(
    "damage", [emptied, overwritten, undescribed, half_described, of_another_name, broken_text, odd_times]
)
def test_a_damaged_record_is_a_sentence_on_its_card_alone(
    damage: Callable[[Path], None], swept: Made, compared: Made, copied: Path
) -> None:
    damage(copied / swept.name / "record.db")
    cards = cards_of(copied)
    assert {*cards.names()} == {swept.name, compared.name}
    assert swept.name in words(front_layout(cards))
    answers = [standing_answer(cards, swept.name)[0], numbers_answer(cards, swept.name)]
    alerts = [part for part in answers if getattr(part, "role", "") == "alert"]
    assert alerts, "nothing was said"
    assert all(swept.name in words(part) and "\n" not in words(part) for part in alerts)
    assert "3 runs" in words(numbers_answer(cards, compared.name)), "the others are whole"


def test_a_damaged_note_does_not_hide_its_study(swept: Made, copied: Path) -> None:
    (copied / swept.name / FILE).write_text("{")
    shown = words(standing_answer(cards_of(copied), swept.name)[0])
    assert "12 of 12 trials" in shown
    assert FILE in shown


def test_no_card_reads_what_is_no_study(copied: Path) -> None:
    cards = cards_of(copied)
    for name in ("..", "../..", "none", "", "/etc"):
        assert words(standing_answer(cards, name)[0]) == "This study is gone."
        assert numbers_answer(cards, name) == []


def test_an_empty_runs_folder_says_what_to_run(tmp_path: Path) -> None:
    for runs in (tmp_path, tmp_path / "none"):
        assert "tal-search run study=quickstart" in words(front_layout(cards_of(runs)))


def test_a_study_without_trials_has_a_card(tmp_path: Path) -> None:
    run(plan_of(tmp_path, [cell_spec(0)]))
    change(tmp_path / "grid" / "record.db", "DELETE FROM trials")
    cards = cards_of(tmp_path)
    assert "0 of 1 trials" in words(standing_answer(cards, "grid")[0])
    assert "no trial yet" in words(standing_answer(cards, "grid")[0])
    assert words(numbers_answer(cards, "grid")) == "No trial is finished yet."
    assert json.dumps(cards.mark("grid"))
