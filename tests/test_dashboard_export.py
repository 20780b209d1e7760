"""The exported files: a page that asks nobody, tables that hold what the page shows, pictures of every figure."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from browser import browser
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from small_dashboards import Made, chromium

from tal_dashboards.export.export import escaped, export_study, file_name, latex
from tal_dashboards.views import cost, plots, tables, views
from tal_search.cli.main import main
from tal_search.cli.summary import show_results
from tal_search.results.statistics import HIGH, LOW


def test_the_end_of_a_run_prints_both_commands(swept: Made) -> None:
    screen = Console(record=True, width=300, file=io.StringIO())
    show_results(swept.plan, swept.outcome, screen)
    printed = screen.export_text().splitlines()
    named = f"study={swept.name} runs={swept.runs}"
    assert f"Dashboards: tal-search dashboard {named}" in printed
    assert f"As files: tal-search export {named} out=FOLDER" in printed


@pytest.mark.slow
def test_the_export_command_writes_every_table_and_figure(
    compared: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = chromium()
    assert main(["export", f"study={compared.name}", f"runs={compared.runs}", f"out={tmp_path / 'out'}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    data = compared.read()
    figures = {file_name(name, one) for name, view in views().items() for one in view.figures(view.info(data, {}))}
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == {
        f"{name}.{kind}" for name in figures for kind in ("svg", "png")
    }
    assert f"{len(figures)} figures as SVG and PNG" in said
    for path in (tmp_path / "out" / "figures").iterdir():
        beginning = path.read_bytes()[:5]
        assert beginning == (b"<svg " if path.suffix == ".svg" else b"\x89PNG\r")
        assert path.suffix == ".png" or "simulated data" in path.read_text("utf-8"), "a picture says it by itself"
    for name, view in views().items():
        for title, table in view.tables(view.info(data, {})).items():
            written = pd.read_csv(tmp_path / "out" / "tables" / f"{file_name(name, title)}.csv")
            assert list(written.columns) == [str(column) for column in table.columns]
            numbers = table.select_dtypes("number")
            assert written[numbers.columns].to_numpy() == pytest.approx(numbers.to_numpy(), nan_ok=True)
    asked, wrong = [], []
    with browser(program) as opened:
        page = opened.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto((tmp_path / "out" / "index.html").as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        heads = page.eval_on_selector_all("h2", "found => found.map(one => one.textContent)")
        buttons = page.eval_on_selector_all(".modebar-btn", "found => found.map(one => one.ariaLabel)")
        page.emulate_media(media="print")
        page.wait_for_selector(".main-svg[viewBox]")  # what lets a figure be as wide as paper
    assert heads == [view.TITLE for view in views().values()]
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert wrong == []
    assert "Download plot as a PNG" in buttons
    assert not [one for one in buttons if "Share" in one], "Plotly's own server gets no figure"


def test_without_a_browser_the_rest_is_written_and_one_sentence_says_so(
    swept: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    sentences = export_study(swept.runs, swept.name, tmp_path / "out")
    assert sentences[1].startswith("No pictures: they need a Chromium")
    assert (tmp_path / "out" / "index.html").stat().st_size > 1_000_000
    assert not (tmp_path / "out" / "figures").exists()
    monkeypatch.setenv("BROWSER_PATH", "/bin/false")
    assert "/bin/false did not draw" in export_study(swept.runs, swept.name, tmp_path / "out")[1]


def test_a_table_in_latex_has_its_numbers_and_no_command_of_the_data() -> None:
    ends = {"mAP@0.5" + LOW: [36.34 - 1.26], "mAP@0.5" + HIGH: [36.34 + 1.26]}
    frame = pd.DataFrame({"case": [r"\input{x} & 50 %"], "mAP@0.5": [36.34], **ends})
    text = latex(frame, "a_b")
    assert r"\textbackslash{}input\{x\} \& 50 \% & 36.3 $\pm$ 1.3 \\" in text
    assert r"\caption{a\_b}" in text
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1


@given(st.text())
def test_no_text_reaches_latex_as_a_command(text: str) -> None:
    plain = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]|\$(\\\w+|[<>])\$", "", escaped(text)
    )
    assert not set(plain) & set("\\&%$#_{}~^")


@given(st.text(), st.text())
def test_no_title_leaves_its_folder(view: str, title: str) -> None:
    assert "/" not in file_name("v", title)
    assert file_name("v", title).startswith("v-")
    assert len(file_name("v", title)) <= 102


def test_the_exported_page_holds_the_tables_numbers(
    swept: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    export_study(swept.runs, swept.name, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    data = swept.read()
    for value in tables.info(data, {}).tables["h (kernel_size)"]["average"]:
        assert f">{value:.1f} ± " in page or f">{value:.1f} [" in page
    assert "connect-src" not in page.partition("<style>")[0], "default-src 'none' covers it"
    assert cost.TITLE in page


def test_a_grid_is_exported_with_its_heat_map(grid: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    export_study(grid.runs, grid.name, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "tables" / "plots-heat-map.csv", index_col="inference.nms")
    heat = plots.info(grid.read(), {}).heat
    assert heat is not None
    assert written.columns.astype(float).tolist() == heat.columns.tolist()
    assert written.to_numpy() == pytest.approx(heat.to_numpy())
    assert "heat map" in (tmp_path / "out" / "index.html").read_text("utf-8")
