"""What a reader does in the plots, the playground and the timeline, in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Visit, visit
from playwright.sync_api import Browser
from small_dashboards import Made, served

from tal_dashboards.data.fits import chosen_fit, offered
from tal_dashboards.style import shown
from tal_dashboards.views import errors, playground, study, timeline
from tal_dashboards.views.trial_panel import trial_tables
from tal_search.trial.folder import TrialFolder

pytestmark = pytest.mark.slow
CHANGED = "([name, old]) => document.querySelector(name)?.textContent !== old"


@pytest.fixture(scope="module")
def page(opened: Browser, grid: Made) -> Iterator[Visit]:
    with served(grid.runs) as address, visit(opened, address) as found:
        yield found


def changed(page: Visit, name: str, old: str | None) -> None:
    page.page.wait_for_function(CHANGED, arg=[name, old])


def test_a_slider_scores_anew_and_its_url_gives_the_numbers_back(page: Visit, grid: Made) -> None:
    page.open(grid.name, "playground")
    before = page.page.text_content("#playground-settings")
    page.page.locator("[role=slider]").nth(5).focus()
    page.page.keyboard.press("ArrowLeft")
    changed(page, "#playground-settings", before)
    page.page.wait_for_url("**playground-nms=0.5**")
    assert page.page.evaluate("document.activeElement.getAttribute('role')") == "slider", "the focus stays"
    wanted = playground.tables(playground.info(grid.read(), {"playground-nms": "0.5"}))["settings"]
    assert page.rows("playground-settings")[1:] == shown(wanted).to_numpy().tolist()
    page.open(grid.name, "playground", **{"playground-nms": "0.5", "playground-sweep": "nms"})
    assert page.rows("playground-settings")[1:] == shown(wanted).to_numpy().tolist()
    page.page.wait_for_selector("#playground-sweep-table")
    assert len(page.rows("playground-sweep-table")) == 12


def test_thresholds_that_cross_are_said_and_going_back_heals(page: Visit, grid: Made) -> None:
    page.open(grid.name, "playground", **{"playground-activation_high": "0.05"})
    page.page.locator("[role=slider]").nth(1).focus()
    page.page.keyboard.press("ArrowRight")
    page.page.wait_for_selector("#playground-result [role=alert]")
    assert "the first must be smaller" in (page.page.text_content("#playground-result") or "")
    page.page.keyboard.press("ArrowLeft")
    page.page.wait_for_selector("#playground-settings")


def test_a_pointer_shows_a_trial_and_a_click_opens_it(page: Visit, grid: Made) -> None:
    page.open(grid.name, "plots", **{"plots-score": "average"})
    chart = page.page.locator("#plots-charts .js-plotly-plot").first
    keys = chart.evaluate("plot => plot.data.find(one => one.name === 'trials').customdata.map(one => one[2])")
    point = chart.locator(".scatterlayer .trace").nth(1).locator(".points path").last
    point.hover(force=True)
    page.until("document.querySelector('#plots-charts .hoverlayer')?.textContent.includes('annotator')")
    shown = chart.locator(".hoverlayer").text_content() or ""
    (key,) = {key for key in keys if key in shown}
    point.click(force=True)
    page.page.wait_for_selector("#study-trial-results")
    page.page.wait_for_url(f"**view=study**trial={key}**")
    assert "plots-score=average" in page.page.url, "what was chosen before is there for the way back"
    results = study.info(grid.read(), {"trial": key}).trial
    assert results is not None
    assert page.rows("study-trial-results")[1:] == trial_tables(results)["results"].to_numpy().tolist()
    page.page.go_back()
    page.page.wait_for_selector("#plots-importances .main-svg")


def test_a_click_on_a_cell_of_ours_opens_it_and_published_systems_open_nothing(page: Visit, grid: Made) -> None:
    page.open(grid.name, "cost", **{"cost-budget": "0"})
    points = page.page.locator("#cost-graph .scatterlayer .trace .points path")
    points.first.click(force=True)
    page.page.wait_for_timeout(500)
    assert "view=cost" in page.page.url
    points.last.hover(force=True)
    page.until("document.querySelector('#cost-graph .hoverlayer')?.textContent.includes(', n ')")
    shown = page.page.locator("#cost-graph .hoverlayer").text_content() or ""
    points.last.click(force=True)
    page.page.wait_for_url("**view=study**study-cell=**")
    assert "cost-budget=0" in page.page.url, "what was chosen before is there for the way back"
    page.drawn()
    cell = page.page.locator(".chosen", has_text="Curve of another cell").locator(".dash-dropdown-value").text_content()
    assert cell
    assert f"{cell}: " in shown
    page.open(grid.name, "cost")
    link = page.page.locator("#cost-our-cells tbody th a").nth(1)
    words = link.text_content()
    assert words
    link.press("Enter")
    page.page.wait_for_url("**view=study**study-cell=**")
    page.drawn()
    assert words in [row[0] for row in page.rows("study-compared")]


def test_the_chosen_trial_goes_from_view_to_view(page: Visit, grid: Made) -> None:
    data = grid.read()
    first, second = chosen_fit(data, {}, lambda folder: folder.detections), data.trials["key"].iloc[-1]
    assert first != second
    words = offered(data)[second]
    page.open(grid.name, "timeline")
    page.page.get_by_role("button", name="trial").press("Enter")
    page.page.get_by_role("option", name=words).click()
    page.page.wait_for_selector(f"#views a[href*='trial={second}']")
    for view in (errors, playground, timeline, study):
        page.page.click(f"#views >> text={view.TITLE}")
        page.page.wait_for_selector(".view.current >> text=" + view.TITLE)
        page.drawn()
        page.until(f"document.querySelector('#content .dash-dropdown-value').textContent === {json.dumps(words)}")
        assert f"trial={second}" in page.page.url


def test_a_trial_that_a_view_cannot_show_stays_chosen_for_the_others(
    opened: Browser, grid: Made, tmp_path: Path
) -> None:
    shutil.copytree(grid.runs, tmp_path / "runs")
    key = grid.read().trials["key"].iloc[-1]
    TrialFolder.of(tmp_path / "runs", key).detections.unlink()
    with served(tmp_path / "runs") as address, visit(opened, address) as page:
        page.open(grid.name, "errors", trial=key)
        assert "the one opened keeps nothing to show here" in (page.page.text_content(".chosen") or "")
        page.page.click("#views >> text=Study")
        page.page.wait_for_selector("#study-trial-results")
        assert f"trial={key}" in page.page.url
        results = study.info(grid.read(), {"trial": key}).trial
        assert results is not None
        assert page.rows("study-trial-results")[1:] == trial_tables(results)["results"].to_numpy().tolist()


def test_a_moment_moves_the_line_and_the_mask_and_the_url_holds_it(page: Visit, grid: Made) -> None:
    page.open(grid.name, "timeline")
    page.page.wait_for_selector("#timeline-mask-graph .main-svg")
    before = page.page.text_content("#timeline-mask")
    page.page.locator("[role=slider]").first.focus()
    for _ in range(3):
        page.page.keyboard.press("ArrowRight")
    changed(page, "#timeline-mask", before)
    page.page.wait_for_url("**timeline-at=**")
    found = timeline.info(grid.read(), {})
    assert found is not None
    page.page.wait_for_function(
        "x => Math.abs(document.querySelector('#timeline-graph .js-plotly-plot').layout.shapes[0].x0 - x) < 1e-6",
        arg=found.at + 3 * found.duration / timeline.STEPS,
    )
