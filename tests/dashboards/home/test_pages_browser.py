"""The front page, the comparison and the notes in a real browser."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tal_dashboards.data.notes import Notes, read_notes, write_note
from tests.support.browser import Visit, axe
from tests.support.small_dashboards import Made, served

pytestmark = pytest.mark.slow
MARKUP = "<img src=x onerror=alert(1)>"
WIDTHS = (390, 1280, 1920)
READY = "!document.querySelector('.loading') && !document.querySelector('[data-dash-is-loading]')"
# Texts of a figure whose boxes lie over one another, those that Plotly hides left out.
OVERLAPPING = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((plot) => {
  const texts = [...plot.querySelectorAll("text")].filter((one) => one.textContent && one.getClientRects().length);
  const boxes = texts.map((one) => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([words, a], place) => boxes.slice(place + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2
  ).map(([others]) => [words, others]));
})"""


@pytest.fixture(scope="module")
def runs(swept: Made, compared: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of two studies, to write on; one more has markup for a name, and one a damaged record."""
    runs = tmp_path_factory.mktemp("several")
    for made in (swept, compared):
        shutil.copytree(made.runs / made.name, runs / made.name)
    (runs / "trials").symlink_to(swept.runs / "trials")
    shutil.copytree(swept.runs / swept.name, runs / MARKUP)
    with closing(sqlite3.connect(runs / MARKUP / "record.db")) as database, database:
        database.execute("UPDATE studies SET study_name = ?", (MARKUP,))
    (runs / MARKUP / "record.db.sha256").unlink()
    (runs / "damaged").mkdir()
    (runs / "damaged" / "record.db").write_bytes(b"no database " * 1000)
    write_note(runs / MARKUP, "", f"<b>{MARKUP}</b>", "")
    return runs


@pytest.fixture(scope="module")
def address(runs: Path, swept: Made) -> Iterator[str]:
    with served(runs, swept.name) as found:
        yield found


def go(page: Visit, path: str) -> None:
    page.page.goto(page.address + path)
    page.page.wait_for_selector("h1")
    page.until(READY)
    page.until("[...document.querySelectorAll('.dash-graph')].every(one => one.querySelector('.main-svg text'))")


def test_cards_fill_themselves_and_ticked_studies_are_compared(page: Visit, swept: Made, compared: Made) -> None:
    go(page, "/~/")
    cards = {card.locator("h2").inner_text(): card for card in page.page.locator(".card").all()}
    assert {*cards} == {swept.name, compared.name, MARKUP, "damaged"}
    assert "12 of 12 trials" in cards[swept.name].inner_text()
    assert "top axis" in cards[swept.name].inner_text()
    assert "damaged: the record cannot be read" in (cards["damaged"].locator("[role=alert]").text_content() or "")
    assert cards[MARKUP].locator("b, img").count() == 0
    assert cards[MARKUP].locator(".noted").text_content() == f"<b>{MARKUP}</b>"
    for name in (swept.name, MARKUP):
        cards[name].get_by_label(f"compare {name}").press("Space")
    page.until("document.querySelector('#front-compare').href.includes('img')")
    page.page.locator("#front-compare").press("Enter")
    page.page.wait_for_selector("#compare-table-axes")
    assert page.page.locator("#content h3").all_inner_texts() == 2 * [
        f"{name} simulated data" for name in (MARKUP, swept.name)
    ]
    page.page.go_back()
    page.page.wait_for_selector(".card dl")
    assert page.page.get_by_label(f"compare {swept.name}").is_checked(), "what was ticked stays ticked"
    page.page.locator(".card h2 a", has_text=swept.name).press("Enter")
    page.page.wait_for_selector("#overview-progress")
    page.page.get_by_role("link", name="All studies").press("Enter")
    page.page.wait_for_selector(".card dl")


def test_the_address_of_a_comparison_holds_its_studies(page: Visit, swept: Made, compared: Made) -> None:
    go(page, f"/compare?studies={swept.name},{compared.name}")
    rows = page.rows("compare-table-studies")
    assert [row[0] for row in rows[1:]] == [swept.name, compared.name]
    page.page.get_by_role("button", name="Studies, at most 6").press("Enter")
    page.page.get_by_role("option", name=compared.name).click()
    page.page.keyboard.press("Escape")
    page.page.wait_for_url(f"**/compare?studies={swept.name}")
    page.until("document.querySelectorAll('#compare-table-studies tbody tr').length === 1")
    page.page.go_back()
    page.until("document.querySelectorAll('#compare-table-studies tbody tr').length === 2")
    go(page, f"/compare?studies={quote('<b>none</b>')}")
    assert "There is no study <b>none</b>" in (page.page.text_content("#content [role=alert]") or "")


def test_a_note_is_kept_and_what_was_typed_is_not_lost(page: Visit, runs: Path, compared: Made) -> None:
    key = str(compared.read().trials["key"].iloc[0])
    page.open(compared.name, "study", trial=key)
    study, trial = page.page.locator("#study-note"), page.page.locator("#trial-panel .note")
    study.get_by_role("textbox").fill("of the study")
    trial.get_by_role("textbox").fill("of the trial")
    study.get_by_role("button", name="Save the note").press("Enter")
    study.get_by_text("Saved.", exact=True).wait_for()
    page.page.reload()
    page.drawn()
    assert trial.get_by_role("textbox").input_value() == "of the trial", "typed, and not saved before the reload"
    write_note(runs / compared.name, key, "of somebody else", "")
    trial.get_by_role("button", name="Save the note").press("Enter")
    trial.get_by_text("of somebody else").wait_for()
    assert trial.get_by_role("textbox").input_value() == "of the trial"
    assert read_notes(runs / compared.name) == Notes("of the study", {key: "of somebody else"})
    trial.get_by_role("button", name="Save the note").press("Enter")
    trial.get_by_text("Saved.", exact=True).wait_for()
    assert read_notes(runs / compared.name) == Notes("of the study", {key: "of the trial"})
    page.open(compared.name, "study", trial=key)
    assert study.get_by_role("textbox").input_value() == "of the study"


@pytest.mark.parametrize("path", ["/~/", "/compare?studies={},{}", "/{}/?view=study"])
def test_the_pages_fit_every_screen_and_are_accessible(page: Visit, swept: Made, compared: Made, path: str) -> None:
    script = axe()
    go(page, path.format(swept.name, compared.name))
    page.page.evaluate(script)
    for width in WIDTHS:
        page.resize(width, 844)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        if "compare" in path:
            assert page.page.evaluate(OVERLAPPING) == []
        violations = page.page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
        grave = [one for one in violations if one["impact"] in ("serious", "critical")]
        assert not grave, [(one["id"], one["nodes"][0]["html"]) for one in grave]


def test_on_paper_what_is_pressed_is_left_out(page: Visit, swept: Made, compared: Made) -> None:
    go(page, f"/compare?studies={swept.name},{compared.name}")
    page.page.emulate_media(media="print")
    page.until("[...document.querySelectorAll('.main-svg')].every(one => one.hasAttribute('viewBox'))")
    for pressed in (".site", ".choose", ".modebar"):
        assert not any(one.is_visible() for one in page.page.locator(pressed).all())
    assert page.page.locator("h1").is_visible()
    assert page.page.locator("#compare-table-axes").is_visible()
    page.page.emulate_media(media="screen")
