"""The exported files: a page that asks nobody, tables that hold what the page shows, pictures of every figure."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tal_dashboards.data.notes import write_note
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.export import draw, export_study
from tal_dashboards.export.latex import escaped, in_math, latex
from tal_dashboards.export.names import file_name, file_names
from tal_dashboards.export.overview_page import overview_sheet, sheet_figure
from tal_dashboards.export.page import ASSETS, study_page
from tal_dashboards.export.pictures import pictures
from tal_dashboards.export.study_table import MARKS, study_latex
from tal_dashboards.views import cost, plots, tables, views
from tal_search.cli.main import main
from tal_search.cli.summary import show_results
from tal_search.results.overview import answer, overview
from tal_search.results.statistics import HIGH, LOW
from tests.support.browser import browser
from tests.support.drawn_runs import drawn, one_at_a_time, study_of
from tests.support.small_dashboards import Made, chromium, required_program


def test_the_end_of_a_run_prints_both_commands(swept: Made) -> None:
    screen = Console(record=True, width=300, file=io.StringIO())
    show_results(swept.plan, swept.outcome, screen)
    printed = screen.export_text().splitlines()
    named = f"study={swept.name} runs={swept.runs}"
    assert f"Dashboards: tal-search dashboard {named}" in printed
    assert f"As files: tal-search export {named} out=FOLDER" in printed


@pytest.fixture(scope="module")
def compared_files(compared: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What the command writes of a study of cases, and says."""
    out, said = tmp_path_factory.mktemp("compared") / "out", io.StringIO()
    with redirect_stdout(said):
        assert main(["export", f"study={compared.name}", f"runs={compared.runs}", f"out={out}"]) == 0
    return out, " ".join(said.getvalue().split())


@pytest.fixture(scope="module")
def swept_files(swept: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """What is written of a study of axes, and said, where there is no browser; nothing of the study changes."""
    out = tmp_path_factory.mktemp("swept") / "out"
    before = files_of(swept)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", str(out))
        patched.delenv("BROWSER_PATH", raising=False)
        said = export_study(swept.runs, swept.name, out)
    assert files_of(swept) == before
    return out, said


def files_of(study: Made) -> dict[Path, int]:
    """With their times, but for caches and SQLite's own files beside the record."""
    kept = [path for path in study.runs.rglob("*") if path.is_file() and "cache" not in path.parts]
    return {path: path.stat().st_mtime_ns for path in kept if not path.name.endswith(("-shm", "-wal"))}


@pytest.mark.slow
def test_the_export_command_writes_every_table_and_figure(compared: Made, compared_files: tuple[Path, str]) -> None:
    program, (out, said) = chromium(), compared_files
    data = compared.read()
    figures = {file_name(name, one) for name, view in views().items() for one in view.figures(view.info(data, {}))}
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
        for title, table in view.tables(view.info(data, {})).items():
            written = pd.read_csv(out / "tables" / f"{file_name(name, title)}.csv")
            assert list(written.columns) == [str(column) for column in table.columns]
            numbers = table.select_dtypes("number")
            assert written[numbers.columns].to_numpy() == pytest.approx(numbers.to_numpy(), nan_ok=True)
    assert pages((out / "overview.pdf").read_bytes()) == 1
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
            assert pages(page.pdf(prefer_css_page_size=True)) == 1
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


def pages(content: bytes) -> int:
    """Of a PDF."""
    return len(re.findall(rb"/Type\s*/Page\b", content))


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


def test_without_a_browser_the_rest_is_written_and_one_sentence_says_so(
    swept_files: tuple[Path, list[str]],
) -> None:
    out, lines = swept_files
    assert "No pictures and no overview.pdf: they need a Chromium" in " ".join(lines)
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


def test_notes_stand_on_the_page_as_text(swept: Made, tmp_path: Path) -> None:
    data = replace(swept.read(), runs=tmp_path)
    (tmp_path / data.name).mkdir()
    assert "Notes" not in study_page(data, [], {})
    write_note(tmp_path / data.name, "", "The <i>first</i> try", "")
    write_note(tmp_path / data.name, str(data.trials["key"].iloc[0]), "two\nlines", "")
    page = study_page(data, [], {})
    assert "The &lt;i&gt;first&lt;/i&gt; try" in page
    assert f"seed {data.trials['seed'].iloc[0]} · {data.trials['annotator'].iloc[0]}</h3>" in page
    assert ">two\nlines</p>" in page
    (tmp_path / data.name / "notes.json").write_text("[")
    assert "is not a whole file of notes" in study_page(data, [], {})


def test_a_table_in_latex_has_its_numbers_and_no_command_of_the_data() -> None:
    ends = {"mAP@0.5" + LOW: [36.34 - 1.26], "mAP@0.5" + HIGH: [36.34 + 1.26]}
    frame = pd.DataFrame({"case": [r"\input{x} & 50 %"], "mAP@0.5": [36.34], **ends})
    text = latex(frame, "a_b", "study-a b")
    assert r"\textbackslash{}input\{x\} \& 50 \% & 36.3 $\pm$ 1.3 \\" in text
    assert r"\caption{a\_b}\label{tab:study-a-b}" in text
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("λ", r"$\lambda$"), ("τ_same", r"$\tau_{\mathrm{same}}$"), ("D_emb", r"$D_{\mathrm{emb}}$"), ("k/T", "$k/T$"),
        ("h", "$h$"), ("λ4", r"$\lambda_{4}$"), ("tIoU_NMS", r"$\mathrm{tIoU}_{\mathrm{NMS}}$"),
        ("w_fg_rgb", r"$w_{\mathrm{fg\_rgb}}$"), ("affinity", "affinity"), ("‖x‖", r"$\|$x$\|$"), ("h$", r"h\$"),
    ],
)  # fmt: skip
def test_a_symbol_is_math(symbol: str, expected: str) -> None:
    assert in_math(symbol) == expected


@given(st.text())
def test_no_text_reaches_latex_as_a_command(text: str) -> None:
    found = escaped(text)
    assert found.isascii()
    words = "textbackslash|textasciitilde|textasciicircum|dots|ss|o|O|ae|i"
    plain = re.sub(rf"\\({words})\{{\}}|\\[&%$#_{{}}]|\$(\\\w+|\\\||[<>|-])\$", "", found)
    for _ in range(3):  # accents, one over another
        plain = re.sub(r"\\[`'^~=u.\"rHvdc]\{([A-Za-z]?)\}", "", plain)
    assert not set(plain) & set("\\&%$#_{}~^|<>")


@given(st.lists(st.text(), unique=True, max_size=6))
def test_file_names_are_ascii_and_distinct_and_lead_nowhere_else(titles: list[str]) -> None:
    names = file_names("v", titles)
    assert file_names("v", titles[::-1]) == names
    assert len({name.casefold() for name in names.values()}) == len(titles)
    for name in names.values():
        assert re.fullmatch(r"v(-[A-Za-z0-9_@=-]+)?", name)
        assert len(f"{name}.json") <= 100


def test_file_names_that_would_be_one_are_told_apart() -> None:
    names = file_names("tables", ["λ (lambda)", "lambda lambda", "LAMBDA lambda", "τ_same (tau_same)", "x" * 200, "类"])
    assert [name.rpartition("-")[0] for name in list(names.values())[:3]] == [
        "tables-lambda-lambda", "tables-lambda-lambda", "tables-LAMBDA-lambda"
    ]  # fmt: skip
    assert names["τ_same (tau_same)"] == "tables-tau_same-tau_same"
    assert len(set(names.values())) == 6


@pytest.mark.parametrize("kind", ["swept", "compared"])
def test_every_table_of_a_study_compiles_in_one_document(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    program = required_program("pdflatex", "TAL_REQUIRE_LATEX")
    shutil.copytree(request.getfixturevalue(f"{kind}_files")[0] / "tables", tmp_path / "tables")
    hostile = pd.DataFrame({"[x] *": ["*", "[2]", "é ą 类 “½” | \x00\n&"], "Δ": [1.0, 2.0, 3.0]})
    (tmp_path / "tables" / "hostile.tex").write_text(latex(pd.concat([hostile] * 30), "[a] ∞ ≤", "x"), "ascii")
    names = sorted(path.stem for path in (tmp_path / "tables").glob("*.tex"))
    labels = [re.findall(r"\\label{(.+?)}", (tmp_path / "tables" / f"{name}.tex").read_text("ascii")) for name in names]
    assert [len(one) for one in labels] == [1] * len(names)
    assert "study" in names
    inputs = "\n".join(
        rf"\input{{tables/{name}}} \ref{{{label}}}" for name, (label,) in zip(names, labels, strict=True)
    )
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx,longtable}"
        rf"\begin{{document}}{inputs}\listoftables\end{{document}}"
    )
    for _ in range(2):
        command = [program, "-interaction=nonstopmode", "-halt-on-error", "all"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-2000:]
    assert "undefined" not in ended.stdout
    assert "multiply defined" not in ended.stdout
    assert pages((tmp_path / "all.pdf").read_bytes()) > 1 or b"/ObjStm" in (tmp_path / "all.pdf").read_bytes()


def test_the_table_of_a_study_has_every_value_its_interval_and_its_verdict(swept: Made) -> None:
    data = swept.read()
    found = overview(data)
    text = study_latex(data, found)
    assert text is not None
    lines = [line for line in text.splitlines() if line.endswith(r"\\")][1:]
    assert len(lines) == len(found.curves)
    for line, row in zip(lines, found.curves.to_dict("records"), strict=True):
        cells = [cell.strip() for cell in line.removesuffix(r"\\").split(" & ")]
        assert cells[3].startswith(f"{row['mean']:.1f} ")
        assert cells[2] == f"{row['n']}"
        if row["centre"]:
            assert cells[1].startswith(r"\textbf{")
            assert cells[4:6] == ["", ""]
        else:
            assert cells[4].startswith(f"{row['delta']:+.1f} ".replace("-", "$-$"))
            assert cells[5] == MARKS[row["verdict"]]
    axes = [line.split(" & ")[0] for line in lines if not line.startswith(" ")]
    assert axes == [
        r"$\lambda$ (lambda\_sep)",
        "$h$ (kernel\\_size)",
        r"$\mathrm{tIoU}_{\mathrm{NMS}}$ (inference.nms)",
    ]
    for words in ("mAP@0.5 in \\%", "(simulated data); 3 seeds", r"$\pm$ half their 95 \% intervals"):
        assert words in text


def test_the_exported_page_holds_the_tables_numbers(swept: Made, swept_files: tuple[Path, list[str]]) -> None:
    page = (swept_files[0] / "index.html").read_text("utf-8")
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
    assert ">Mean mAP over two axes, in %.<" in (tmp_path / "out" / "index.html").read_text("utf-8")
