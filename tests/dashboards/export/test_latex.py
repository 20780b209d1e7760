"""Tables in LaTeX: numbers, symbols, and text that cannot become a command."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_dashboards.export.latex import escaped, in_math, label_of, latex
from tal_search.results.statistics import HIGH, LOW
from tests.support.dashboard_parts import pdf_pages
from tests.support.small_dashboards import required_program

HOSTILE = (
    "[x]", " [2pt]", "\x00[", "*", " *", "(U)", "类 (l)", "\u0327c", "\\", "\\[2pt]", "&", "%x", "#1", "$", "_", "^^M",
    "~", "{", "}", r"\end{tabular}", r"\multicolumn{2}{c}{x}", r"\hline", r"\noalign{x}", "a--b", "?`", "é ą ẽ̃ ậ", "",
    "-3", "=5pt", "|", '"', "😀",
)  # fmt: skip


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
    found = re.sub(r"([-'`?!,])\{\}(?=[-'`,])", r"\1", found)  # of a ligature
    plain = re.sub(rf"\\({words})\{{\}}|\\[&%$#_{{}}]|\$(\\\w+|\\\||[<>|-])\$", "", found)
    for _ in range(3):  # accents, one over another
        plain = re.sub(r"\\[`'^~=u.\"rHvdc]\{([A-Za-z]?)\}", "", plain)
    assert not set(plain) & set("\\&%$#_{}~^|<>")


def test_all_tables_of_two_studies_compile_in_one_document(
    swept_files: tuple[Path, list[str]], compared_files: tuple[Path, str], tmp_path: Path
) -> None:
    program = required_program("pdflatex", "TAL_REQUIRE_LATEX")
    inputs = []
    for kind, (out, _) in {"swept": swept_files, "compared": compared_files}.items():
        shutil.copytree(out / "tables", tmp_path / kind)
        names = sorted(path.stem for path in (tmp_path / kind).glob("*.tex"))
        assert "study" in names
        for name in names:
            (label,) = re.findall(r"\\label{(.+?)}", (tmp_path / kind / f"{name}.tex").read_text("ascii"))
            inputs.append(rf"\input{{{kind}/{name}}} \ref{{{label}}}")
        inputs.append(r"\clearpage")  # LaTeX holds only so many floats
    hostile = pd.DataFrame({"[x] *": ["*", "[2]", "é ą 类 “½” | \x00\n&"], "Δ": [1.0, 2.0, 3.0]})
    (tmp_path / "hostile.tex").write_text(latex(pd.concat([hostile] * 30), "[a] ∞ ≤", "x"), "ascii")
    for number, name in enumerate(HOSTILE):  # first, in the middle and last of a row, in the head, and in a longtable
        frame = pd.DataFrame({name: [name, "a"], "b": [name, name], f"{name} ": ["a", name]})
        text = latex(frame, name, f"y{number}") + latex(pd.concat([frame] * 25), name, f"z{number}")
        (tmp_path / f"hostile{number}.tex").write_text(text, "ascii")
        inputs.append(rf"\input{{hostile{number}}}\clearpage")
    content = "\n".join([*inputs, r"\input{hostile} \ref{tab:x}"])
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx,longtable}"
        rf"\begin{{document}}{content}\listoftables\end{{document}}"
    )
    for _ in range(2):
        command = [program, "-interaction=nonstopmode", "-halt-on-error", "all"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-2000:]
    assert "undefined" not in ended.stdout
    assert "multiply defined" not in ended.stdout
    assert pdf_pages((tmp_path / "all.pdf").read_bytes()) > 1 or b"/ObjStm" in (tmp_path / "all.pdf").read_bytes()


def test_no_two_signs_are_joined_to_another() -> None:
    assert escaped("a--b ''q'' ``r`` ?` !` ,,") == "a-{}-b '{}'q'{}' `{}`r`{}` ?{}` !{}` ,{},"
    assert escaped("–") == "--"


def test_a_label_has_no_other_characters_than_letters_digits_and_dashes() -> None:
    assert label_of("a b/λ_c") == "tab:a-b-_c"
