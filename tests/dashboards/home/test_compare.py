"""The page that compares studies, and what it says about names that are no studies."""

from __future__ import annotations

from pathlib import Path

from tal_dashboards.home.compare import compare_layout, compare_part, named
from tal_search.results.cell_table import cells
from tests.support.dashboard_parts import cards_of, words
from tests.support.small_dashboards import Made


def test_the_query_names_the_studies() -> None:
    assert named("?studies=a,b,,") == ["a", "b"]
    assert named("?view=study") == named("") == named("?studies=") == []


def test_the_page_says_what_is_wrong_and_shows_the_rest(swept: Made, compared: Made, tmp_path: Path) -> None:
    cards = cards_of(swept.runs)
    shown = words(compare_part(cards, f"?studies={swept.name},none"))
    assert "There is no study none" in shown
    assert "Choose two studies or more" in shown
    assert "Worst and best value" in shown
    both = words(compare_part(cards, f"?studies={swept.name},{compared.name}"))
    cases = [str(case) for case in cells(compared.frame).loc[lambda rows: ~rows["centre"], "case"]]
    assert cases
    assert all(case in both for case in cases), "cases stand as rows beside axes"
    assert "Choose two" not in both
    assert words(compare_part(cards, "")) == "Choose two studies or more; each is compared with its own centre."
    assert "tal-search run" in words(compare_layout(cards_of(tmp_path), ""))
