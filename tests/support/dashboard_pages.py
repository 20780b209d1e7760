"""Views of the dashboards in a browser: switching between them, window sizes, and texts of figures that overlap."""

from __future__ import annotations

import json

import plotly.graph_objects as go

from tests.support.browser import Visit

PHONE, LAPTOP, WIDE = SIZES = ((390, 844), (1280, 800), (1920, 1080))
TOLERANCE = 2  # pixels: boxes of letters are a little larger than the letters
FOLLOWS = {"breakdown": "#breakdown-graph", "plots": "#plots-late > *"}  # view → what is drawn after the rest of it
CLOSED = "!document.querySelector('#trial-panel').firstElementChild"
# Pairs of texts of a figure that overlap, and texts cut at the figure's edge; invisible and clipped texts are left out.
# Rotated texts are compared by their four corners.
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

# Where the first point of a trace of the cost figure is on the screen.
SPOT = """(name) => {
  const plot = document.querySelector("#cost-graph .js-plotly-plot"), { left, top } = plot.getBoundingClientRect();
  const trace = plot._fullData.find((one) => one.mode === "markers" && one.name === name && one.x.length);
  const layout = plot._fullLayout, x = layout[`xaxis${trace.xaxis.slice(1)}`], y = layout.yaxis;
  return [left + x._offset + x.d2p(trace.x[0]), top + y._offset + y.d2p(trace.y[0])];
}"""


def opened_view(page: Visit, view: str) -> None:
    """Open a view by its tab, without loading the page again, and close the trial panel."""
    if page.page.locator("#trial-close").count():
        page.page.click("#trial-close")
        page.until(CLOSED)
    page.switch(view)
    if view in FOLLOWS:
        page.page.wait_for_selector(FOLLOWS[view])
        page.drawn()


def drawn_alone(page: Visit, figure: go.Figure) -> None:
    """Draw a figure below the view."""
    page.page.evaluate(DRAW, json.loads(figure.to_json()))


def overlaps(page: Visit) -> list[list[str]]:
    """Pairs of texts of a figure that overlap, each with the figure's id."""
    found: list[list[str]] = page.page.evaluate(OVERLAPS, TOLERANCE)
    return found


def pressed(page: Visit, trace: str, words: str) -> str:
    """Press the first point of a trace of the cost figure; returns its hover text, which has these words."""
    page.page.locator("#cost-graph").scroll_into_view_if_needed()
    page.page.mouse.move(*page.page.evaluate(SPOT, trace))
    page.until(f"document.querySelector('#cost-graph .hoverlayer')?.textContent.includes({json.dumps(words)})")
    text = page.page.locator("#cost-graph .hoverlayer").text_content() or ""
    page.page.wait_for_timeout(200)  # Plotly ignores a point that is pressed at once
    page.page.mouse.down()
    page.page.mouse.up()
    return text
