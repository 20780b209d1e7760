"""Every view for everybody who reads it: at a screen, on a phone, with assistive technology, and on paper."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tal_dashboards.views import views
from tal_dashboards.views.trial_panel import ABOUT_ONE
from tests.support.browser import SCREENS, visit
from tests.support.paths import ARTIFACTS
from tests.support.small_dashboards import Made, served

pytestmark = pytest.mark.slow
AXE = Path(sys.prefix) / "npm" / "node_modules" / "axe-core" / "axe.min.js"
PAPER, UPRIGHT = (1031, 702), (702, 1031)  # pixels between the margins of an A4 page on its side, and of an upright one
WIDTHS = "[...document.querySelectorAll('.js-plotly-plot')].map(plot => plot._fullLayout.width)"
SETTLED = """[...document.querySelectorAll('.js-plotly-plot')].every(
  (plot) => Math.abs(plot._fullLayout.width - plot.clientWidth) < 2)"""
# The box of every drawing and of its figure, as if the page were as wide as paper; the body is as it was afterwards.
BOXES = """(width) => {
  document.body.style.width = `${width}px`;
  const boxes = [...document.querySelectorAll(".main-svg")].map((drawing) => {
    const [box, around] = [drawing, drawing.closest("figure")].map((one) => one.getBoundingClientRect());
    return [box.left, box.right, box.bottom - around.bottom, box.height, drawing.closest(".tall") !== null];
  });
  document.body.style.width = "";
  return boxes;
}"""


@pytest.fixture(scope="module")
def address(grid: Made) -> Iterator[str]:
    with served(grid.runs) as found:
        yield found


def axe() -> str:
    """The script that `make axe` installs; its test is skipped where it is absent, unless required."""
    if not AXE.exists():
        if os.environ.get("TAL_REQUIRE_AXE") == "1":
            pytest.fail(f"{AXE} is required (TAL_REQUIRE_AXE=1) and is not there")
        pytest.skip("needs axe-core: make axe")
    return AXE.read_text("utf-8")


@pytest.mark.parametrize("screen", SCREENS)
def test_no_view_has_a_serious_obstacle_to_anybody(opened: Browser, address: str, grid: Made, screen: str) -> None:
    script, key, found = axe(), grid.read().trials["key"].iloc[0], []
    with visit(opened, address, screen) as page:
        for view in views():
            page.open(grid.name, view, trial=key)
            page.page.evaluate(script)
            violations = page.page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
            found += [
                (view, one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
                for one in violations
                if one["impact"] in ("serious", "critical")
            ]
    assert not found, found


def test_on_paper_figures_fit_the_page_and_what_is_pressed_is_left_out(
    opened: Browser, address: str, grid: Made
) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    first, *_, last = grid.read().trials["key"]
    drawn, tall = 0, set()
    with visit(opened, address) as page:
        for view in views():
            page.open(grid.name, view, trial=first, other=last)
            if view not in ABOUT_ONE:
                page.page.wait_for_selector("#trial-panel .main-svg text")
            page.until(SETTLED)
            widths = page.page.evaluate(WIDTHS)
            page.page.emulate_media(media="print")
            page.until("[...document.querySelectorAll('.main-svg')].every(one => one.hasAttribute('viewBox'))")
            for left, right, below, height, upright in page.page.evaluate(BOXES, PAPER[0]):
                paper = UPRIGHT if upright else PAPER
                tall |= {view} if upright else set()
                assert left >= 0
                assert right - left <= paper[0] + 1
                assert right <= PAPER[0]
                assert below <= 0
                assert height <= paper[1]
                drawn += 1
            for pressed in ("#views", ".modebar", ".chosen [role=slider]"):
                assert not any(one.is_visible() for one in page.page.locator(pressed).all())
            assert page.page.locator("h1").is_visible()
            page.page.pdf(path=ARTIFACTS / f"{grid.name}-{view}.pdf", prefer_css_page_size=True, format="A4")
            page.page.emulate_media(media="screen")
            page.until("![...document.querySelectorAll('.main-svg')].some(one => one.hasAttribute('viewBox'))")
            page.until(f"JSON.stringify({WIDTHS}) === {json.dumps(json.dumps(widths, separators=(',', ':')))}")
    assert tall == {"timeline"}
    assert drawn > 40, "three drawings a figure"


def test_no_button_sends_a_figure_anywhere(opened: Browser, address: str, grid: Made) -> None:
    with visit(opened, address) as page:
        page.open(grid.name, "study")
        buttons = page.page.locator(".modebar-btn").evaluate_all("found => found.map(one => one.ariaLabel)")
        assert "Download plot as a PNG" in buttons
        assert not [one for one in buttons if "Share" in one or "cloud" in one.lower()]


def test_plotly_is_loaded_once(opened: Browser, address: str, grid: Made) -> None:
    with visit(opened, address) as page:
        page.open(grid.name, "plots")
        assert page.page.locator("script[src*=plotly]").count() == 1
        assert page.page.evaluate("typeof Plotly.newPlot") == "function"
