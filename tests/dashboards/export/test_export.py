"""Exported files: every table and figure, with a browser and without one."""

from __future__ import annotations

import html
import io
import re
import shutil
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from rich.console import Console

from tal_dashboards.export.export import MARK_HEIGHT, draw, export_study, mark_simulated
from tal_dashboards.export.names import file_name
from tal_dashboards.export.page import ASSETS
from tal_dashboards.views import plots, views
from tal_search.cli.summary import show_results
from tests.support.browser import browser
from tests.support.dashboard_parts import pdf_pages
from tests.support.small_dashboards import Made, chromium


@pytest.mark.slow
def test_the_export_command_writes_every_table_and_figure(compared: Made, compared_files: tuple[Path, str]) -> None:
    program, (out, said) = chromium(), compared_files
    data = compared.read()
    infos = {name: view.info(data, {}) for name, view in views().items()}
    figures = {file_name(name, title) for name, view in views().items() for title in view.figures(infos[name])}
    assert "overview" in figures
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"{name}.{kind}" for name in figures for kind in ("svg", "png")
    }
    assert f"{len(figures)} figures as SVG and PNG" in said
    for path in (out / "figures").iterdir():
        beginning = path.read_bytes()[:5]
        assert beginning == (b"<svg " if path.suffix == ".svg" else b"\x89PNG\r")
        assert path.suffix == ".png" or "simulated data" in path.read_text("utf-8"), "a picture says it by itself"
    for name, view in views().items():
        for title, table in view.tables(infos[name]).items():
            written = pd.read_csv(out / "tables" / f"{file_name(name, title)}.csv")
            assert list(written.columns) == [str(column) for column in table.columns]
            numbers = table.select_dtypes("number")
            assert written[numbers.columns].to_numpy() == pytest.approx(numbers.to_numpy(), nan_ok=True)
    assert pdf_pages((out / "overview.pdf").read_bytes()) == 1
    asked, wrong = [], []
    with browser(program) as opened:
        page = opened.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto((out / "index.html").as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        heads = page.eval_on_selector_all("main > section > h2", "found => found.map(one => one.textContent)")
        buttons = page.eval_on_selector_all(".modebar-btn", "found => found.map(one => one.ariaLabel)")
        page.emulate_media(media="print")
        page.wait_for_selector(".main-svg[viewBox]")  # what lets a figure be as wide as paper
    assert heads == [view.TITLE for view in views().values()]
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert wrong == []
    assert "Download plot as a PNG" in buttons
    assert not [one for one in buttons if "Share" in one], "Plotly's own server gets no figure"


def test_without_a_browser_the_rest_is_written_and_one_sentence_says_so(
    swept_files: tuple[Path, list[str]],
) -> None:
    out, lines = swept_files
    assert "No images and no overview.pdf: they need Chromium" in " ".join(lines)
    assert all(len(line) <= 80 for line in lines[1:])
    assert {path.name for path in out.iterdir()} == {"index.html", "overview.json", "tables"}
    page = (out / "index.html").read_text("utf-8")
    assert "overview.pdf" not in page
    ids = set(re.findall(r' id="([^"]+)"', page))
    linked = re.findall(r'href="#([^"]+)"', page)
    assert set(linked) <= ids
    assert {"overview", "figure-overview", "table-tables-lambda-lambda_sep"} <= set(linked)
    captions = re.findall(r"<(?:figcaption|caption)>(.*?)</(?:figcaption|caption)>", page)
    assert len(captions) > 20
    assert [one for one in captions if not re.match("[A-Z]|mAP", one)] == []
    for css in ("style.css", "breakdown.css", "home.css"):
        assert (ASSETS / css).read_text("utf-8") in page


def test_a_browser_that_draws_nothing_is_named(swept: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/bin/false")
    lines, printed = draw(swept.read(), {"one": go.Figure()}, tmp_path)
    assert lines == ["figures/: 0 figures as SVG and PNG.", "/bin/false did not draw one, overview.pdf."]
    assert not printed
    assert list(tmp_path.iterdir()) == []


def test_a_grid_is_exported_with_its_heat_map(grid: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    export_study(grid.runs, grid.name, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "tables" / "plots-heat-map.csv", index_col="inference.nms")
    heat = plots.info(grid.read(), {}).heat
    assert heat is not None
    assert written.columns.astype(float).tolist() == heat.columns.tolist()
    assert written.to_numpy() == pytest.approx(heat.to_numpy())
    assert ">Mean mAP over two axes, in %.<" in (tmp_path / "out" / "index.html").read_text("utf-8")


def test_damaged_files_of_trials_are_named_and_left_out(
    grid: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    runs = Path(shutil.copytree(grid.runs, tmp_path / "runs"))
    for scores in runs.glob("trials/*/scores.json"):
        scores.write_bytes(scores.read_bytes()[:-9])
    said = export_study(runs, grid.name, tmp_path / "out")
    left_out = [line for line in said if line.startswith("Left out: ")]
    assert left_out
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    for line in left_out:
        assert re.search(r"trials/\w+/scores\.json is damaged \(.*\); remove it, and the same `run` command", line)
        assert html.escape(line.removeprefix("Left out: ")) in page


def test_simulated_data_is_marked_below_a_figure_whatever_its_size() -> None:
    fixed, free = go.Figure(layout={"height": 300, "margin": {"b": 10}}), go.Figure()
    for figure in (fixed, free):
        mark_simulated(figure, "simulated data")
        assert figure.layout.title.text == "simulated data"
    assert (fixed.layout.height, fixed.layout.margin.b) == (300 + MARK_HEIGHT, 10 + MARK_HEIGHT)
    assert free.layout.height is None


def test_the_end_of_a_run_prints_both_commands(swept: Made) -> None:
    screen = Console(record=True, width=300, file=io.StringIO())
    show_results(swept.plan, swept.outcome, screen)
    printed = screen.export_text().splitlines()
    named = f"study={swept.name} runs={swept.runs}"
    assert f"Dashboards: tal-search dashboard {named}" in printed
    assert f"As files: tal-search export {named} out=FOLDER" in printed
