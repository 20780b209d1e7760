"""What a reader does in the plots, the playground and the timeline, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Visit, browser, visit
from small_dashboards import Made, chromium, served

from dashboards.style import shown
from dashboards.views import playground, timeline

pytestmark = pytest.mark.slow
CHANGED = "([name, old]) => document.querySelector(name)?.textContent !== old"


@pytest.fixture(scope="module")
def page(grid: Made) -> Iterator[Visit]:
    with browser(chromium()) as opened, served(grid.runs) as address, visit(opened, address) as found:
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


def test_a_click_on_a_point_shows_the_trials_of_its_fit(page: Visit, grid: Made) -> None:
    page.open(grid.name, "plots")
    chart = "document.querySelector('#plots-charts .js-plotly-plot')"
    key = page.page.evaluate(f"{chart}.data.find(one => one.name === 'trials').customdata[0][2]")
    point = "{curveNumber: 1, pointNumber: 0, x: 1, y: 1, customdata: [0, 'A1', key]}"
    page.page.evaluate(f"key => {chart}.emit('plotly_click', {{points: [{point}]}})", key)
    page.page.wait_for_selector("#plots-trials")
    assert {row[0] for row in page.rows("plots-trials")[1:]} == {key}
    assert len(page.rows("plots-trials")) == 3, "a fit is one trial at each value of the inference axis"
    page.page.wait_for_selector("#plots-importances .main-svg")


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
