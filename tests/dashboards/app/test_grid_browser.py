"""Tables in a real browser: their numbers, searching, sorting, paging, downloads and colours."""

from __future__ import annotations

import pandas as pd
import pytest

from tal_dashboards.app import grid as grids
from tal_dashboards.style import shown
from tal_dashboards.views import cost, modules, tables
from tests.support.browser import Visit
from tests.support.small_dashboards import Made, drawn_rows

pytestmark = pytest.mark.slow


def whole_rows(page: Visit, table: str) -> list[list[str]]:
    """As `Visit.rows`, what stands beside several rows in each of them, without the small words below it."""
    head, *rows = page.rows(table)
    found: list[list[str]] = []
    for row in rows:
        above = len(head) - len(row)
        found.append((found[-1][:above] if above else []) + row)
    small = page.page.locator(f"#{table} th[scope=rowgroup] span").all_text_contents()
    return [head, *([next((row[0].removesuffix(one) for one in small if row[0].endswith(one)), row[0]), *row[1:]]
                    for row in found)]  # fmt: skip


def numbers(page: Visit) -> list[int]:
    """The trials that are listed."""
    return [int(row[0]) for row in page.rows("study-trials")[1:]]


def test_the_numbers_on_screen_are_those_of_the_record(page: Visit, swept: Made, compared: Made) -> None:
    page.open(swept.name, "tables")
    head, *rows = whole_rows(page, "tables-cells")
    assert rows == drawn_rows(tables.grid(swept.read(), {}))
    centres = [row for row in rows if row[head.index("verdict")] == "centre"]
    assert len(centres) == len(swept.plan.study.search.axes)
    results = [
        swept.outcome.finished[one.id] for one in swept.outcome.trials.values() if one.cell == swept.plan.centre_cell
    ]
    mean = sum(100 * result.at(0.5) for result in results) / len(results)
    for centre in centres:
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


def test_a_trial_is_found_sorted_paged_downloaded_and_opened(
    page: Visit, swept: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "PAGE", 5)
    data, press = swept.read(), page.page.keyboard.press
    page.open(swept.name, "study")
    assert numbers(page) == [11, 10, 9, 8, 7]
    page.page.get_by_role("button", name="Next").focus()
    for shown_now in ([6, 5, 4, 3, 2], [1, 0]):
        press("Enter")
        page.until(f"document.querySelectorAll('#study-trials tbody tr').length === {len(shown_now)}")
        page.until(f"document.querySelector('#study-trials tbody a').textContent === '{shown_now[0]}'")
        assert numbers(page) == shown_now
    assert page.page.evaluate("document.activeElement.textContent") == "First", "the last page has no next one"
    page.page.wait_for_url("**study-trials-page=3**")
    sought = page.page.get_by_label("Find")
    sought.fill("λ = 0.25 seed 1")
    page.until("document.querySelector('#study-trials .count').textContent.startsWith('1 of 12 rows')")
    (number,) = numbers(page)
    row = data.trials.set_index("number").loc[number]
    assert (row["lambda_sep"], row["seed"]) == (0.25, 1)
    sought.fill("")
    page.until("document.querySelectorAll('#study-trials tbody tr').length === 5")
    sought.press_sequentially("lambda_sep=0.25", delay=50)
    page.until("document.querySelectorAll('#study-trials tbody tr').length === 3")
    page.page.get_by_role("button", name=data.score, exact=True).focus()
    press("Enter")
    page.page.wait_for_selector("#study-trials th[aria-sort=descending]")
    mine = data.trials[data.trials["lambda_sep"] == 0.25].sort_values(data.score, ascending=False)
    assert numbers(page) == mine["number"].tolist()
    assert page.page.evaluate("document.activeElement.textContent") == data.score, "the focus stays"
    press("Enter")
    page.page.wait_for_selector("#study-trials th[aria-sort=ascending]")
    assert numbers(page) == mine["number"].tolist()[::-1]
    page.page.wait_for_url("**study-trials-find=lambda_sep%3D0.25&study-trials-sort=mAP%400.5**")
    page.page.reload()
    page.drawn()
    assert numbers(page) == mine["number"].tolist()[::-1], "the URL holds what was looked for"
    with page.page.expect_download() as download:
        page.page.click("#study-trials >> text=CSV")
    file = pd.read_csv(download.value.path())
    assert file["number"].tolist() == mine["number"].tolist()[::-1]
    assert file[data.score].tolist() == mine[data.score].tolist()[::-1]
    with page.page.context.expect_page() as apart:
        page.page.click("#study-trials tbody a", modifiers=["Control"])
    assert apart.value.url.endswith(f"trial={mine['key'].iloc[-1]}")
    assert "trial=" not in page.page.url, "a new tab is the browser's"
    apart.value.wait_for_load_state("networkidle")  # the server would complain about requests that are dropped
    apart.value.close()
    page.page.evaluate("document.querySelector('#study-trials').lasting = true")
    page.page.locator("#study-trials tbody a").first.press("Enter")
    page.page.wait_for_selector("#study-trial-results")
    assert page.page.evaluate("document.querySelector('#study-trials').lasting"), "the page was not loaded again"
    assert f"trial={mine['key'].iloc[-1]}" in page.page.url
    assert numbers(page) == mine["number"].tolist()[::-1], "what was looked for stays"


def test_cells_are_found_and_sorted_and_only_differences_beyond_the_noise_have_a_colour(
    page: Visit, swept: Made
) -> None:
    found = tables.info(swept.read(), {})
    page.open(swept.name, "tables")
    page.page.get_by_label("Find").fill("kernel")  # at once: Dash restores the caret late, among keys of no delay
    page.until("document.querySelectorAll('#tables-cells tbody tr').length === 2")
    page.page.get_by_label("Find").fill("")
    page.until("document.querySelectorAll('#tables-cells tbody tr').length === 6")
    delta = f"Δ {swept.read().score}"
    page.page.get_by_role("button", name=delta).press("Enter")
    page.page.wait_for_selector("#tables-cells th[aria-sort=descending]")
    head, *rows = whole_rows(page, "tables-cells")
    ordered = found.together.sort_values(delta, ascending=False, kind="stable")
    assert [row[head.index(delta)] for row in rows] == shown(ordered)[delta].tolist()
    looks = page.page.eval_on_selector_all(
        "#tables-cells td.delta",
        "all => all.map(getComputedStyle).map(one => [one.backgroundColor, one.boxShadow !== 'none', one.color])",
    )
    ink = page.page.evaluate("getComputedStyle(document.body).color")
    for (filled, outlined, colour), row in zip(looks, ordered.to_dict("records"), strict=True):
        told_apart, beyond = row["verdict"] in ("better", "worse"), abs(row[delta]) > found.noise
        assert (filled != "rgba(0, 0, 0, 0)") == told_apart
        assert outlined == (beyond and not told_apart)
        assert (colour == ink) == (told_apart or beyond or row["verdict"] == "centre")
    assert {outlined for _, outlined, _ in looks} == {True, False}, "the study shows both"
