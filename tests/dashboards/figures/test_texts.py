"""No two texts of a figure lie on one another, in any view, on a phone, a laptop and a wide screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from playwright.sync_api import Browser

from tal_dashboards.figures.cost_figure import SECONDS, cost_figure
from tal_dashboards.views import cost, views
from tal_search.results.ranking import cost_front
from tal_search.results.statistics import HIGH, LOW
from tests.support.browser import Visit, visit
from tests.support.small_dashboards import Made, served

pytestmark = pytest.mark.slow
SCORE = "mAP@0.5"
SIZES = ((390, 844), (1280, 800), (1920, 1080))
TOLERANCE = 2  # pixels: boxes of letters are a little larger than what is seen of them
# Every two texts of a figure whose boxes overlap; what is invisible, or cut away by its box, is left out. Turned texts
# have the box of their four corners, which is what is seen of upright ones and of those at a right angle; others are
# measured along their own direction by their corners.
OVERLAPS = """(tolerance) => [...document.querySelectorAll(".js-plotly-plot")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect();
  const seen = [...plot.querySelectorAll("svg text")].filter((text) => {
    const style = getComputedStyle(text), box = text.getBoundingClientRect();
    const hidden = style.visibility === "hidden" || style.display === "none" || !box.width;
    if (hidden || !text.textContent.trim()) return false;
    for (let one = text; one !== plot; one = one.parentNode) if (getComputedStyle(one).opacity === "0") return false;
    const clip = text.closest("[clip-path]");
    const limit = clip && document.querySelector(clip.getAttribute("clip-path").match(/#[^)'"]+/)?.[0] ?? "none");
    if (!limit) return true;
    const cut = clip.getBoundingClientRect(), part = limit.querySelector("rect");
    const top = clip.ownerSVGElement.getBoundingClientRect().top + part.y.baseVal.value;
    return !clip.closest(".legend") || box.top < top + part.height.baseVal.value + clip.getCTM().f;
  });
  const corners = (text) => {
    const box = text.getBBox(), matrix = text.getScreenCTM(), t = tolerance / 2;
    return [[box.x + t, box.y + t], [box.x + box.width - t, box.y + t], [box.x + box.width - t, box.y + box.height - t],
      [box.x + t, box.y + box.height - t]].map(([x, y]) => new DOMPoint(x, y).matrixTransform(matrix));
  };
  // Two rectangles are apart where one of the directions of their sides parts them.
  const apart = (a, b) => [a, b].some((one) => [[0, 1], [1, 2]].some(([i, j]) => {
    const [x, y] = [one[j].x - one[i].x, one[j].y - one[i].y];
    const [[l, r], [s, e]] = [a, b].map((points) => points.map((p) => p.x * x + p.y * y))
      .map((along) => [Math.min(...along), Math.max(...along)]);
    return r <= s || e <= l;
  }));
  const boxes = seen.map((text) => [text.textContent, corners(text)]);
  const name = plot.closest("[id]:not(.js-plotly-plot)")?.id ?? "";
  const found = [];
  boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    if (!apart(a, b)) found.push([name, one, other]);
  }));
  for (const [one, points] of boxes) {
    const [left, right] = [Math.min(...points.map((p) => p.x)), Math.max(...points.map((p) => p.x))];
    if (left < frame.left - 2 || right > frame.right + 2) found.push([name, one, "cut at the edge of the figure"]);
  }
  return found;
})"""


DRAW = """(figure) => {
  document.getElementById("drawn")?.remove();
  const place = Object.assign(document.createElement("div"), { id: "drawn" });
  document.querySelector("main").append(place);
  return Plotly.newPlot(place, figure.data, figure.layout, { responsive: true });
}"""


@pytest.fixture(scope="module")
def page(opened: Browser, grid: Made) -> Iterator[Visit]:
    """One page for all views: it has compiled the scripts once."""
    first, *_, last = grid.read().trials["key"]
    with served(grid.runs) as address, visit(opened, address) as found:
        found.open(grid.name, "study", trial=first, other=last)
        yield found


def overlaps(page: Visit) -> dict[int, Any]:
    """What lies on one another at each width of the window."""
    found = {}
    for width, height in SIZES:
        page.page.set_viewport_size({"width": width, "height": height})
        page.until(
            "[...document.querySelectorAll('.js-plotly-plot')].every(plot => "
            "Math.abs(plot._fullLayout.width - plot.clientWidth) < 2)"
        )
        found[width] = page.page.evaluate(OVERLAPS, TOLERANCE)
    return {width: texts for width, texts in found.items() if texts}


def test_no_two_texts_of_a_trial_s_figures_overlap(page: Visit) -> None:
    page.page.wait_for_selector("#trial-panel .main-svg text")
    assert overlaps(page) == {}
    page.page.click("#trial-close")
    page.until("!document.querySelector('#trial-panel').firstElementChild")


def opened_view(page: Visit, view: str) -> None:
    """By its tab, so that the page is not loaded again."""
    title = views()[view].TITLE
    page.page.click(f"#views >> text={title}")
    page.page.wait_for_selector(f".view.current >> text={title}")
    page.drawn()


@pytest.mark.parametrize("view", views())
def test_no_two_texts_of_a_figure_overlap(page: Visit, view: str) -> None:
    opened_view(page, view)
    assert overlaps(page) == {}


def of_ours(names: list[str], costs: list[float], means: list[float], line: str) -> pd.DataFrame:
    """Cells as the cost view has them, each with an interval of ± 4 points."""
    ours = pd.DataFrame({"cell": names, "method": "backtal", "n": 3, SECONDS: costs, SCORE: means, "line": line})
    ours = ours.assign(key="k", named=True, front=cost_front(ours[SECONDS], ours[SCORE]))
    return ours.assign(**{SCORE + LOW: ours[SCORE] - 4, SCORE + HIGH: ours[SCORE] + 4})


BUDGETS = of_ours(
    ["0 %", "10 %", "25 %", "50 %", "100 %"], [45, 45.2, 45.6, 46.2, 47.4], [28, 31, 33, 34, 36.3], line="backtal 0"
)
METHODS = of_ours(
    ["BaS-Net", "DGAM", "BackTAL", "SF-Net", "Representative segments", "ASL"], [45, 45, 47.4, 49, 49, 258],
    [22.1, 35.5, 58.9, 50.6, 74.1, 91.2], line="",
)  # fmt: skip


@pytest.mark.parametrize("ours", [BUDGETS, METHODS], ids=["click budgets", "methods"])
def test_systems_and_cells_are_named_in_the_cost_figure_at_every_width(
    page: Visit, grid: Made, ours: pd.DataFrame
) -> None:
    published = cost.info(grid.read(), {}).published
    figure = cost_figure(ours, published, SCORE, None, True)
    named = {note.text.replace("<br>", " ") for note in figure.layout.annotations}
    assert {*ours["cell"], *published["system"]} <= named
    opened_view(page, "tables")
    page.page.evaluate(DRAW, json.loads(figure.to_json()))
    assert overlaps(page) == {}


def test_texts_that_overlap_are_seen(page: Visit) -> None:
    note = {"text": "a name", "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    for below, seen in ((0, True), (40, False)):
        drawn = go.Figure(layout={"annotations": [note, {**note, "text": "another", "yshift": -below}]})
        page.page.evaluate(DRAW, json.loads(drawn.to_json()))
        assert bool([one for one in page.page.evaluate(OVERLAPS, TOLERANCE) if "a name" in one]) == seen
