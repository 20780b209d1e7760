"""Tables in narrow terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tal_search.cli.text_table import TextTable, compact, drawn, markdown, spread
from tests.support.consoles import lines


def test_a_narrow_terminal_leaves_out_optional_columns_and_cuts_no_number() -> None:
    table = TextTable(
        "Cells", ["axis", "average 0.3:0.7", "mAP@0.5", "verdict", "paper"],
        [["1 (centre)", "12.5±1.9", "18.1[0,43]", "needs 25 seeds", "not available"]],
        left=("axis", "verdict"), optional=("average 0.3:0.7",),
    )  # fmt: skip
    for width, whole in ((80, True), (46, False)):
        console = Console(file=io.StringIO(), width=width)
        console.print(drawn(table, "data", width))
        text = "\n".join(lines(console))
        assert max(map(len, lines(console))) <= width
        assert ("12.5±1.9" in text) is whole
        assert all(word in text for word in ("1 (centre)", "18.1[0,43]", "needs 25 seeds", "–: not available."))
        assert ("terminal is narrow: average 0.3:0.7." in " ".join(text.split())) is not whole


def test_an_unknown_cell_is_a_dash_with_its_meaning_below() -> None:
    table = TextTable("Cells", ["axis", "paper"], [["1", "not available"], ["2", "40.1"]], left=("axis",))
    console = Console(file=io.StringIO(), width=60)
    console.print(drawn(table, "data", 60))
    text = " ".join(" ".join(lines(console)).split())
    assert "–: not available." in text
    assert text.count("not available") == 1


def test_markdown_escapes_what_would_end_a_cell() -> None:
    table = TextTable("Cells", ["case", "n"], [["a|b", "1"]], remark="A remark.")
    assert markdown(table) == "## Cells\n\n| case | n |\n| --- | --- |\n| a\\|b | 1 |\n\nA remark.\n"


def test_a_name_in_markdown_is_neither_link_nor_tag_nor_line() -> None:
    names = ["[a](javascript:x)", "![a][b]", "<img src=x>", "a\nb\x1b", "p < 0.001 [1, 2]"]
    written = markdown(TextTable("Cells", ["case"], [[name] for name in names])).splitlines()[4:]
    assert written == [
        r"| [a]\(javascript:x) |", r"| ![a]\[b] |", r"| \<img src=x> |", r"| a\nb\x1b |", "| p < 0.001 [1, 2] |",
    ]  # fmt: skip


def test_a_table_keeps_its_columns_where_signs_are_written_as_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    console = Console(file=io.StringIO(), width=60)
    console.print(drawn(TextTable("Δ", ["λ", "n"], [["4 ± 1", "1"], ["λ", "22"]], left=("λ",)), "é", 60))
    assert [line.rstrip() for line in lines(console)[-2:]] == ["4 +/- 1   1", "lambda   22"]


def test_a_mean_is_shown_with_as_much_of_its_interval_as_there_is() -> None:
    nan = float("nan")
    assert spread(nan, nan, nan) == "–"
    assert spread(12.34, nan, nan) == "12.3"
    assert spread(12.34, 11.34, 13.34) == "12.3 ± 1.0"
    assert compact(2.5, 2.0, 3.0, "+") == "+2.5±0.5"
