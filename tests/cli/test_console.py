"""Output fits a terminal of 80 columns, and control characters are escaped."""

from __future__ import annotations

from importlib import import_module

import pytest
from rich.console import RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from tal_search.cli.console import console, folded, print_line, print_wrapped, styled
from tal_search.cli.main import COMMANDS, USAGE, main
from tal_search.cli.text_table import TextTable, drawn
from tal_search.text.words import counted


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["complexity", "method=representative", "snippets=16", "channels=16", "classes=3"],
        ["run", "study=thumos_grid", "dataset.source=simulated", "--preview"],
        ["run", "--list"],
    ],
    ids=" ".join,
)
def test_commands_fit_80_columns(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed
    assert max(map(len, printed)) <= 80


def test_every_help_text_fits_80_columns() -> None:
    modules = [import_module(f"tal_search.cli.commands.{module}") for module in COMMANDS.values()]
    lines = [line for text in (USAGE, *(module.USAGE for module in modules)) for line in text.splitlines()]
    assert [line for line in lines if len(line) > 80] == []


HOSTILE = "video\x1b[2J\x9b1m\u202e\r\x07 :bug: [red]x[/red]"
WRITTEN = "video\\x1b[2J\\x9b1m\\u202e\\r\\x07 :bug: [red]x[/red]"


def test_no_name_steers_the_terminal_however_it_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = console()
    printed: dict[str, RenderableType] = {
        "text": Text(HOSTILE), "table": drawn(TextTable("t", [HOSTILE], [[HOSTILE]], remark=HOSTILE), HOSTILE, 200),
        "panel": Panel(HOSTILE.replace("[red]", "").replace("[/red]", "")),
    }  # fmt: skip
    for renderable in printed.values():
        screen.print(renderable)
    print_line(screen, HOSTILE + "\nnext")
    print_wrapped(screen, HOSTILE + "\nnext")
    screen.print("mlflow ui --backend-store-uri postgresql://me:xyzzy@host/db", markup=False, soft_wrap=True)
    with Live(Text(HOSTILE), console=screen, transient=False):
        pass
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    assert out.count("video\\x1b[2J\\x9b1m\\u202e") == 9  # Rich itself drops a few more
    assert out.count(WRITTEN + "\\nnext\n") == 2
    assert "mlflow ui --backend-store-uri postgresql://me:***@host/db\n" in out


def test_paths_and_names_are_never_broken() -> None:
    text = "Tables: runs/a-name-that-is-long/sensitivity.csv and more words"
    assert folded(text, None) == text
    assert folded(text, 20, indent=2).splitlines() == [
        "Tables:", "  runs/a-name-that-is-long/sensitivity.csv", "  and more words",
    ]  # fmt: skip


def test_counts_and_warnings() -> None:
    assert [counted(number, "cell") for number in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
    assert str(styled("WARNING: x").style) == "bold red"
    assert not styled("x").style
