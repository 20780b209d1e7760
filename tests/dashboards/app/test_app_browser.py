"""The page of a study in a real browser: its numbers, the URL, the keyboard, and no requests to other servers."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tal_dashboards.views import study, views
from tests.support.browser import SCREENS, Visit, visit
from tests.support.paths import ARTIFACTS
from tests.support.small_dashboards import Made, served
from tests.support.small_plans import cell_spec, plan_of, run

pytestmark = pytest.mark.slow


def test_a_request_to_another_server_does_not_go_unseen(opened: Browser) -> None:
    asked = r"asked http://elsewhere\.example/x"
    with pytest.raises(AssertionError, match=asked), visit(opened, "http://127.0.0.1") as page:
        page.page.set_content("<img src='http://elsewhere.example/x'>")


@pytest.mark.parametrize("study", ["swept", "compared"])
def test_every_view_fits_the_width_of_every_screen(page: Visit, study: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(study)
    page.open(made.name, "overview")
    for view in views():
        page.switch(view)
        assert page.page.text_content("h1") == f"{made.name} simulated data"
        for name, (width, height) in reversed(SCREENS.items()):
            page.resize(width, height)
            if page.page.evaluate("document.documentElement.scrollWidth") > width:
                ARTIFACTS.mkdir(exist_ok=True)
                page.page.screenshot(path=ARTIFACTS / f"{made.name}-{view}-{name}.png", full_page=True)
                pytest.fail(f"{view} of {made.name} is wider than a screen of {name}")


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
    page.page.wait_for_selector("#tables-cells")
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
        page.page.get_by_role("button", name="state").focus()
        run(plan_of(tmp_path, [*first, cell_spec(2)]))
        page.until("document.querySelector('#study-progress').textContent.startsWith('3done')")
        page.until("document.querySelectorAll('#study-trials tbody tr').length === 3")
        assert page.page.evaluate("document.activeElement.textContent") == "state", "the focus stays"
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
        page.open("%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "overview")
        for view in views():
            page.switch(view)
            assert page.page.text_content("h1") == f"{name} simulated data"
            assert page.page.locator("#content b, #content img[src=x], h1 img").count() == 0
        page.switch("modules")
        assert case in [row[0] for row in page.rows("modules-0")]


def test_a_study_without_trials_says_what_to_run(opened: Browser, tmp_path: Path) -> None:
    run(plan_of(tmp_path, [cell_spec(0)]))
    with closing(sqlite3.connect(tmp_path / "grid" / "record.db")) as database, database:
        database.execute("DELETE FROM trials")
    with served(tmp_path) as address, visit(opened, address) as page:
        page.open("grid", "overview")
        for view in views():
            page.switch(view)
            assert "tal-search run study=" in (page.page.text_content("#content .empty") or "")
