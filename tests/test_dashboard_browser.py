"""Every view in a real browser, on real finished studies: the numbers, the URL, the keyboard, no request elsewhere."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from browser import ARTIFACTS, SCREENS, Visit, visit
from playwright.sync_api import Browser
from small_dashboards import Made, served
from small_plans import cell_spec, plan_of, run

from tal_dashboards.style import shown
from tal_dashboards.views import cost, modules, study, tables, views

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(compared: Made) -> Iterator[str]:
    with served(compared.runs) as found:
        yield found


@pytest.fixture
def page(opened: Browser, address: str) -> Iterator[Visit]:
    with visit(opened, address) as found:
        yield found


@pytest.fixture(scope="module", params=SCREENS)
def screen(request: pytest.FixtureRequest, opened: Browser, address: str) -> Iterator[tuple[str, Visit]]:
    """A screen's name and one page on it for all views: what it has compiled once it keeps."""
    with visit(opened, address, request.param) as found:
        yield request.param, found


@pytest.mark.parametrize("view", views())
def test_every_view_opens_on_every_screen_and_fits_its_width(
    screen: tuple[str, Visit], swept: Made, compared: Made, view: str
) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    size, page = screen
    for made in (swept, compared):
        page.open(made.name, view)
        page.page.screenshot(path=ARTIFACTS / f"{made.name}-{view}-{size}.png", full_page=True)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= SCREENS[size][0]
        assert page.page.text_content("h1") == f"{made.name} simulated data"
        assert not page.wrong


def test_the_numbers_on_screen_are_those_of_the_record(page: Visit, swept: Made, compared: Made) -> None:
    page.open(swept.name, "tables")
    for place, (name, table) in enumerate(tables.info(swept.read(), {}).tables.items()):
        head, *rows = page.rows(f"tables-{place}")
        expected = shown(table)[head]
        assert rows == expected.to_numpy().tolist(), name
        results = [
            swept.outcome.finished[one.id]
            for one in swept.outcome.trials.values()
            if one.cell == swept.plan.centre_cell
        ]
        centre = next(row for row in rows if row[head.index("verdict")] == "centre")
        mean = sum(100 * result.at(0.5) for result in results) / len(results)
        assert centre[head.index("mAP@0.5")].startswith((f"{mean:.1f} ± ", f"{mean:.1f} ["))
    axes = shown(tables.info(swept.read(), {}).axes)
    assert page.rows("tables-axes") == [list(axes), *axes.to_numpy().tolist()]
    page.open(swept.name, "study")
    assert page.page.text_content("#study-progress") == "12done0running0failed0remaining"
    head, *rows = page.rows("study-trials")
    assert [row[head.index("number")] for row in rows] == [str(number) for number in reversed(range(12))]
    page.open(compared.name, "modules")
    (table,) = modules.info(compared.read(), {}).compared.values()
    assert page.rows("modules-0")[1:] == shown(table).to_numpy().tolist()
    page.open(compared.name, "cost")
    assert (
        page.rows("cost-our-cells")[1:]
        == shown(cost.tables(cost.info(compared.read(), {}))["our cells"]).to_numpy().tolist()
    )


def test_curves_on_screen_are_those_of_the_trials(page: Visit, swept: Made) -> None:
    page.open(swept.name, "study", **{"study-cell": "kernel_size=1"})
    drawn = page.page.evaluate(
        "document.querySelector('#study-curves-graph .js-plotly-plot')._fullData.filter(one => one.showlegend)"
        ".map(one => [one.name, [...one.y]])"
    )
    wanted = study.info(swept.read(), {"study-cell": "kernel_size=1"}).curves
    assert dict(drawn) == {name: pytest.approx(curve["mean"].tolist()) for name, curve in wanted.items()}


def test_the_url_holds_what_was_chosen_and_gives_it_back(page: Visit, swept: Made) -> None:
    page.open(swept.name, "study")
    assert page.page.url.endswith("?view=study"), "what nobody chose stays out of the URL"
    key = swept.read().trials["key"].iloc[3]
    page.page.click("#study-trials tbody th a:text-is('3')")
    page.page.wait_for_url(f"**trial={key}**")
    page.page.wait_for_selector("#study-trial-results")
    here = page.page.url
    page.page.click("text=Sensitivity tables")
    page.page.wait_for_selector("#tables-0")
    assert f"trial={key}" in page.page.url
    page.page.go_back()
    page.page.wait_for_selector("#study-trial-results")
    page.page.goto("about:blank")
    page.page.goto(here)
    page.page.wait_for_selector("#study-trial-results")
    assert "trial 3" in page.rows("study-trial-results")[0]


def test_views_and_controls_are_reached_and_used_by_keyboard(page: Visit, compared: Made) -> None:
    page.open(compared.name, "study")
    keyboard = page.page.keyboard
    keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    before = ["All studies", "Compare with other studies", "", "Save the note"]  # the box of the note is empty
    titles = [*before, *(view.TITLE for view in views().values())]
    for title in titles[: titles.index("Cost and performance") + 1]:
        keyboard.press("Tab")
        assert page.page.evaluate("document.activeElement.textContent") == title
    keyboard.press("Enter")
    page.page.wait_for_selector("#cost-best")
    whole = page.page.text_content("#cost-best")
    slider = page.page.locator("[role=slider]").first
    slider.focus()
    keyboard.press("ArrowLeft")
    page.until(f"document.querySelector('#cost-best').textContent !== {json.dumps(whole)}")
    page.page.wait_for_url("**cost-budget=**")
    assert page.page.evaluate("document.activeElement.getAttribute('role')") == "slider", "the focus stays"


def test_a_growing_study_is_drawn_again_and_what_was_chosen_stays(opened: Browser, tmp_path: Path) -> None:
    first = [cell_spec(0), cell_spec(1)]
    run(plan_of(tmp_path, first))
    with served(tmp_path, "grid") as address, visit(opened, address) as page:
        page.open("grid", "study", trial=first[1].key)
        page.page.wait_for_selector("#study-trial-results")
        run(plan_of(tmp_path, [*first, cell_spec(2)]))
        page.until("document.querySelector('#study-progress').textContent.startsWith('3done')")
        assert page.rows("study-trial-results")[0] == ["of the trial", "trial 1"]
        assert f"trial={first[1].key}" in page.page.url


def test_markup_in_names_is_shown_as_text(opened: Browser, compared: Made, tmp_path: Path) -> None:
    name, case = "<img src=x onerror=alert(1)>", "<b onmouseover=alert(2)>full</b>"
    shutil.copytree(compared.runs / compared.name, tmp_path / name)
    (tmp_path / "trials").symlink_to(compared.runs / "trials")
    with closing(sqlite3.connect(tmp_path / name / "record.db")) as database, database:
        database.execute("UPDATE studies SET study_name = ?", (name,))
        for place in ("study_user_attributes", "trial_user_attributes"):
            database.execute(f"UPDATE {place} SET value_json = replace(value_json, ?, ?)", ('"full"', json.dumps(case)))
    with served(tmp_path) as address, visit(opened, address) as page:
        for view in views():
            page.open("%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", view)
            assert page.page.text_content("h1") == f"{name} simulated data"
            assert page.page.locator("#content b, #content img[src=x], h1 img").count() == 0
        page.open("%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "modules")
        assert case in [row[0] for row in page.rows("modules-0")]


def test_a_study_without_trials_says_what_to_run(opened: Browser, tmp_path: Path) -> None:
    run(plan_of(tmp_path, [cell_spec(0)]))
    with closing(sqlite3.connect(tmp_path / "grid" / "record.db")) as database, database:
        database.execute("DELETE FROM trials")
    with served(tmp_path) as address, visit(opened, address) as page:
        for view in views():
            page.open("grid", view)
            assert "tal-search run study=" in (page.page.text_content("#content .empty") or "")
