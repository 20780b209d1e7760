"""The overview on a single page, for every kind of study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.overview_page import overview_sheet, sheet_figure
from tal_dashboards.export.pictures import pictures
from tal_search.results.overview import answer, overview
from tests.support.browser import browser
from tests.support.dashboard_parts import pdf_pages
from tests.support.drawn_runs import drawn, one_at_a_time, study_of
from tests.support.small_dashboards import Made, chromium


@pytest.mark.slow
def test_the_overview_stands_on_one_page_whatever_the_study_is(swept: Made, compared: Made) -> None:
    """Cases; a sampler, which has no ranking; many axes whose long names look like code."""
    hostile = " <b>&amp; $x_1$ {of} a name that fills more than a line of the page, </script><script>alert(1)</script>"
    studies = {
        "cases": compared.read(),
        "sampler": replace(swept.read(), plan="sampler", objectives={"mAP": "maximize"}),
        "axes": many_axes(swept.read(), 26, hostile),
    }
    program, wrong = chromium(), []
    ranked = {name: found for name, data in studies.items() if len((found := overview(data)).ranking)}
    drawn = pictures(program, {name: sheet_figure(found) for name, found in ranked.items()})
    with browser(program) as opened:
        for name, data in studies.items():
            page = opened.new_page()
            page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss())[0])
            page.set_content(overview_sheet(data, drawn.get(f"{name}.svg")), wait_until="load")
            assert pdf_pages(page.pdf(prefer_css_page_size=True)) == 1
            sheet = page.evaluate("{const s = document.getElementById('sheet'); [s.scrollHeight, s.clientHeight]}")
            assert sheet[0] <= sheet[1], "nothing is cut off"
            assert page.locator("img").count() == (name in ranked)
            text = page.locator("#sheet").inner_text()
            assert all(sentence in text for sentence in answer(overview(data)))
            assert "simulated data" in text
            assert ("What to run next" in text) == bool(overview(data).undecided)
            rows = page.locator("tbody tr").count()
            assert rows == min(24, len(ranked[name].ranking)) if name in ranked else rows == 4
            page.close()
    assert hostile in text
    assert wrong == []


def many_axes(data: StudyData, count: int, ending: str) -> StudyData:
    """A study of so many axes, each named with this ending; one of them matters."""
    cells = [{f"{axis}{ending}": value for axis, value in one.items()} for one in one_at_a_time(count, 3)]
    runs = drawn(np.random.default_rng(3), len(cells), 4, 1)
    runs.value[2] += 20
    frame = study_of(runs, cells)
    keys = [f"{place}" for place in range(len(frame.trials))]
    return replace(
        data, axes=frame.axes, centre=frame.centre, dataset="drawn", protocol={**data.protocol, **frame.protocol},
        trials=frame.trials.assign(key=keys, seconds=50.0, scoring_seconds=1.0),
    )  # fmt: skip
