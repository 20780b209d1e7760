"""What a reader does in the plots, the playground and the timeline, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tal_dashboards.data.fits import chosen_fit, offered
from tal_dashboards.style import shown
from tal_dashboards.views import breakdown, cost, errors, playground, timeline
from tal_dashboards.views.parts import kept
from tal_dashboards.views.parts.trial_panel import trial_info, trial_tables
from tests.support.browser import FITTED, Visit, visit
from tests.support.dashboard_pages import CLOSED, LAPTOP, PHONE, pressed
from tests.support.small_dashboards import Made, served

pytestmark = pytest.mark.slow
CHANGED = "([name, old]) => document.querySelector(name)?.textContent !== old"


@pytest.fixture(scope="module")
def page(opened: Browser, grid: Made) -> Iterator[Visit]:
    with served(grid.runs) as address, visit(opened, address) as found:
        yield found


@pytest.fixture
def on_phone(page: Visit) -> Iterator[Visit]:
    page.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    yield page
    page.page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})


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


def test_crossed_thresholds_give_an_alert_until_they_are_uncrossed(page: Visit, grid: Made) -> None:
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
    page.page.wait_for_url(f"**view=plots**trial={key}**")
    assert "plots-score=average" in page.page.url, "the view and its choices stay"
    results = trial_info(grid.read(), key)
    assert results is not None
    assert page.rows("study-trial-results")[1:] == trial_tables(results)["results"].to_numpy().tolist()
    page.page.go_back()
    page.until(CLOSED)
    page.page.wait_for_selector("#plots-late .main-svg")


def test_a_range_is_dragged_along_an_axis_or_written_and_the_url_holds_it(page: Visit, grid: Made) -> None:
    data = grid.read()

    def says(selection: dict[str, str]) -> None:
        found = kept.parallel_of(data, data.score, selection)
        assert found is not None
        page.until(f"document.querySelector('#plots-kept-words')?.textContent === {json.dumps(kept.words_of(found))}")

    page.open(grid.name, "plots")
    area = page.page.locator("#plots-parallel .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box
    first = box["x"] + box["width"] * 0.4 / 2.8  # of three axes, from −0.4 to 2.4
    page.page.mouse.move(first - 5, box["y"] + 0.5 * box["height"])
    page.page.mouse.down()
    for step in range(1, 5):
        page.page.mouse.move(first + step, box["y"] + (0.5 - step / 8) * box["height"])
    page.page.mouse.up()
    page.page.wait_for_url("**plots-keep-lambda_sep=**")
    text = page.page.input_value("input[id*='plots-keep-lambda_sep']")
    assert text.endswith("..8")
    says({"plots-keep-lambda_sep": text})
    page.page.locator("summary", has_text="Ranges as text").press("Enter")
    field = page.page.locator("input[id*='plots-keep-score']")
    field.fill("0.2..100")
    field.press("Enter")
    says({"plots-keep-lambda_sep": text, "plots-keep-score": "0.2..100"})
    page.open(grid.name, "plots", **{"plots-keep-score": "0.2..100"})
    says({"plots-keep-score": "0.2..100"})
    page.page.locator("#plots-kept-reset").press("Enter")
    says({})


def test_a_trial_opens_beside_the_page_and_the_view_stays_where_it_was(page: Visit, grid: Made) -> None:
    page.open(grid.name, "cost")
    link = page.page.locator("#cost-our-cells tbody th a").nth(2)
    page.page.evaluate("document.querySelector('#cost-graph').lasting = true")
    link.scroll_into_view_if_needed()
    link.focus()
    before = link.bounding_box()
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#trial-panel #study-trial-losses .main-svg")
    assert "view=cost" in page.page.url
    page.until("document.activeElement.tagName === 'H2'")
    after = link.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2, "what was looked at stays where it was"
    page.until("document.querySelector('main').getBoundingClientRect().right "
               "<= document.querySelector('#trial-panel').getBoundingClientRect().left")  # fmt: skip
    page.page.locator("#trial-panel .ways a", has_text="seed 1").click()
    page.page.wait_for_selector("#trial-panel h2 >> text=seed 1")
    page.page.keyboard.press("Escape")
    page.until(CLOSED)
    assert "trial=" not in page.page.url
    assert page.page.evaluate("document.querySelector('#cost-graph').lasting"), "the view was not drawn again"
    assert page.page.evaluate("document.activeElement.tagName") == "A", "the focus is back"


def test_a_view_about_a_trial_opens_it_by_a_button_and_a_phone_shows_it_alone(on_phone: Visit, grid: Made) -> None:
    page = on_phone
    page.open(grid.name, "errors")
    assert page.page.evaluate(CLOSED)
    page.page.click(".opens")
    page.page.wait_for_selector("#study-trial-results")
    box = page.page.locator("#trial-panel").bounding_box()
    assert box == {"x": 0, "y": 0, "width": PHONE[0], "height": PHONE[1]}
    page.page.click("#trial-close")
    page.until(CLOSED)
    assert "view=errors" in page.page.url
    assert "trial=" in page.page.url, "the view is about it"


def test_axis_and_grouping_of_the_breakdown_are_chosen_on_a_phone_and_kept_in_the_url(
    on_phone: Visit, grid: Made
) -> None:
    page, data = on_phone, grid.read()
    page.open(grid.name, "breakdown", **{"breakdown-axis": "lambda_sep"})
    page.page.wait_for_selector("#breakdown-table")
    for by in ("class", "length"):
        chosen = {"breakdown-axis": "lambda_sep", "breakdown-by": by}
        (table,) = breakdown.tables(breakdown.info(data, chosen)).values()
        page.until("document.querySelector('#breakdown-graph .main-svg text') !== null")
        assert page.rows("breakdown-table")[1:] == shown(table.head(100)).to_numpy().tolist()
        names = page.page.locator("#breakdown-graph .xtick text").all_text_contents()
        assert len(names) == len(table["instances"].groupby(table.iloc[:, 0]).first()), by
        box = page.page.locator(".breakdown-box")
        assert box.evaluate("one => one.scrollWidth > one.clientWidth"), "its columns keep their width"
        assert page.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        if by == "class":
            page.page.get_by_role("button", name="by").press("Enter")
            page.page.get_by_role("option", name="length of instance").click()
            page.page.wait_for_url("**breakdown-by=length**")
            page.until("document.querySelector('#breakdown-table th')?.textContent === 'length of instance'")


def test_a_click_on_a_cell_of_ours_opens_its_first_repeat_and_published_systems_open_nothing(
    page: Visit, grid: Made
) -> None:
    page.open(grid.name, "cost", **{"cost-budget": "0"})
    text = pressed(page, "backtal", ", n ")
    page.page.wait_for_selector("#study-trial-results")
    opened_at = page.page.url
    assert "view=cost&cost-budget=0&trial=" in opened_at, "the view stays"
    ours = cost.info(grid.read(), {}).ours.set_index("key")
    cells = ours.loc[[opened_at.rpartition("trial=")[2]], "cell"]  # one fit, scored at several settings
    assert any(cell in text for cell in cells)
    page.until(FITTED)
    with page.page.expect_response(lambda answer: "clickData" in (answer.request.post_data or "")) as answer:
        pressed(page, "published", "s/min")
    assert answer.value.status == 204, "nothing changes"
    assert page.page.url == opened_at


def test_the_chosen_trial_goes_from_view_to_view(page: Visit, grid: Made) -> None:
    data = grid.read()
    first, second = chosen_fit(data, {}, lambda folder: folder.detections), data.trials["key"].iloc[-1]
    assert first != second
    words = offered(data)[second]
    page.open(grid.name, "timeline")
    page.page.get_by_role("button", name="trial").press("Enter")
    page.page.get_by_role("option", name=words).click()
    page.page.wait_for_selector(f"#views a[href*='trial={second}']")
    for view in (errors, playground, timeline):
        page.page.click(f"#views >> text={view.TITLE}")
        page.page.wait_for_selector(".view.current >> text=" + view.TITLE)
        page.drawn()
        page.until(f"document.querySelector('#content .dash-dropdown-value').textContent === {json.dumps(words)}")
        assert f"trial={second}" in page.page.url
        assert page.page.evaluate(CLOSED), "a trial that is chosen is not opened beside the page"


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
