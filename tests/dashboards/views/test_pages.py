"""Every view on a phone, a laptop and a wide screen, with assistive technology, and on paper, in one browser page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
import pytest
from playwright.sync_api import Browser

from tal_dashboards.figures.cost_figure import SECONDS, cost_figure
from tal_dashboards.views import cost, views
from tal_search.results.ranking import cost_front
from tal_search.results.statistics import HIGH, LOW
from tests.support.browser import AXE, FITTED, Visit, axe, visit
from tests.support.dashboard_pages import (
    LAPTOP,
    PHONE,
    SIZES,
    drawn_alone,
    opened_view,
    overlaps,
)
from tests.support.paths import ARTIFACTS
from tests.support.small_dashboards import Made, served

pytestmark = pytest.mark.slow
SCORE = "mAP@0.5"
PAPER, UPRIGHT = (1031, 702), (702, 1031)  # pixels between the margins of a landscape A4 page, and of a portrait one
WIDTHS = "[...document.querySelectorAll('.js-plotly-plot')].map(plot => plot._fullLayout.width)"
SCALED = "[...document.querySelectorAll('.main-svg')].map(drawing => drawing.hasAttribute('viewBox'))"
# The box of every drawing relative to its figure, as if the page were as wide as paper; the body is restored.
BOXES = """(width) => {
  document.body.style.width = `${width}px`;
  const boxes = [...document.querySelectorAll(".main-svg")].map((drawing) => {
    const [box, around] = [drawing, drawing.closest("figure")].map((part) => part.getBoundingClientRect());
    return [box.left, box.right, box.bottom - around.bottom, box.height, drawing.closest(".tall") !== null];
  });
  document.body.style.width = "";
  return boxes;
}"""


@pytest.fixture(scope="module")
def page(opened: Browser, grid: Made) -> Iterator[Visit]:
    """Two trials are chosen, the first one open in the panel."""
    first, *_, last = grid.read().trials["key"]
    ARTIFACTS.mkdir(exist_ok=True)
    with served(grid.runs) as address, visit(opened, address) as found:
        found.open(grid.name, "study", trial=first, other=last)
        found.page.wait_for_selector("#trial-panel .main-svg text")
        if AXE.exists():
            found.page.evaluate(AXE.read_text("utf-8"))
        yield found


@pytest.fixture(scope="module", params=views())
def view(page: Visit, request: pytest.FixtureRequest) -> str:
    """The view, open without the trial panel."""
    page.page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
    opened_view(page, request.param)
    return str(request.param)


def obstacles(page: Visit) -> list[list[str]]:
    """Serious violations that axe-core finds, none if it is not installed."""
    if not AXE.exists():
        return []
    violations = page.page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
    return [
        [one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]]
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]


def test_axe_is_installed() -> None:
    assert "axe" in axe()


def check_on_paper(page: Visit, name: str) -> None:
    """Figures fit the page, controls are left out, and the screen is as it was afterwards."""
    page.until(FITTED)
    widths = page.page.evaluate(WIDTHS)
    page.page.emulate_media(media="print")
    page.until(f"{SCALED}.every(scaled => scaled)")
    boxes = page.page.evaluate(BOXES, PAPER[0])
    for left, right, below, height, tall in boxes:
        paper = UPRIGHT if tall else PAPER
        assert left >= 0
        assert right - left <= paper[0] + 1
        assert right <= PAPER[0]
        assert below <= 0
        assert height <= paper[1]
    for control in ("#views", ".modebar", ".chosen [role=slider]"):
        assert not any(one.is_visible() for one in page.page.locator(control).all())
    assert page.page.locator("h1").is_visible()
    page.page.pdf(path=ARTIFACTS / f"{name}.pdf", prefer_css_page_size=True, format="A4")
    page.page.emulate_media(media="screen")
    page.until(f"!{SCALED}.some(scaled => scaled)")
    page.until(f"JSON.stringify({WIDTHS}) === {json.dumps(json.dumps(widths, separators=(',', ':')))}")
    assert any(tall for *_, tall in boxes) == (name.endswith("-timeline"))
    assert len(boxes) == 3 * len(widths), "three drawings a figure"


def check_on_screens(page: Visit) -> None:
    for size in SIZES:
        page.resize(*size)
        assert overlaps(page) == [], size
        if size in (PHONE, LAPTOP):
            assert obstacles(page) == [], size


def test_a_trial_beside_the_page_on_paper_and_on_every_screen(page: Visit, grid: Made) -> None:
    check_on_paper(page, f"{grid.name}-trial")
    check_on_screens(page)


def test_plotly_is_loaded_once_and_no_button_sends_a_figure_anywhere(page: Visit) -> None:
    buttons = page.page.locator(".modebar-btn").evaluate_all("found => found.map(one => one.ariaLabel)")
    assert "Download plot as a PNG" in buttons
    assert not [one for one in buttons if "Share" in one or "cloud" in one.lower()]
    assert page.page.locator("script[src*=plotly]").count() == 1
    assert page.page.evaluate("typeof Plotly.newPlot") == "function"


def test_a_view_on_paper(page: Visit, grid: Made, view: str) -> None:
    check_on_paper(page, f"{grid.name}-{view}")


def test_no_texts_of_a_view_overlap_and_nothing_obstructs_its_readers(page: Visit, view: str) -> None:
    check_on_screens(page)


class Cells(NamedTuple):
    """Cells of the cost figure."""

    names: list[str]
    costs: list[float]
    means: list[float]
    line: str

    def table(self) -> pd.DataFrame:
        """As in `CostInfo.ours`, each with an interval of ± 4 points."""
        ours = pd.DataFrame({"cell": self.names, SECONDS: self.costs, SCORE: self.means, "line": self.line})
        ours = ours.assign(method="backtal", n=3, key="k", named=True, front=cost_front(ours[SECONDS], ours[SCORE]))
        return ours.assign(**{SCORE + LOW: ours[SCORE] - 4, SCORE + HIGH: ours[SCORE] + 4})


BUDGETS = Cells(
    ["0 %", "10 %", "25 %", "50 %", "100 %"], [45, 45.2, 45.6, 46.2, 47.4], [28, 31, 33, 34, 36.3], "backtal 0"
)
METHODS = Cells(
    ["BaS-Net", "DGAM", "BackTAL", "SF-Net", "Representative segments", "ASL"], [45, 45, 47.4, 49, 49, 258],
    [22.1, 35.5, 58.9, 50.6, 74.1, 91.2], "",
)  # fmt: skip


@pytest.mark.parametrize("cells", [BUDGETS, METHODS], ids=["click budgets", "methods"])
def test_systems_and_cells_are_named_in_the_cost_figure_at_every_width(page: Visit, grid: Made, cells: Cells) -> None:
    ours, published = cells.table(), cost.info(grid.read(), {}).published
    figure = cost_figure(ours, published, SCORE, None, "simulated data")
    named = {note.text.replace("<br>", " ") for note in figure.layout.annotations}
    assert {*ours["cell"], *published["system"]} <= named
    opened_view(page, "tables")
    drawn_alone(page, figure)
    for size in SIZES:
        page.resize(*size)
        assert overlaps(page) == [], size


def test_texts_that_overlap_are_seen(page: Visit) -> None:
    note = {"text": "a name", "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    for below, seen in ((0, True), (40, False)):
        drawn_alone(page, go.Figure(layout={"annotations": [note, {**note, "text": "another", "yshift": -below}]}))
        assert any("a name" in pair for pair in overlaps(page)) == seen
