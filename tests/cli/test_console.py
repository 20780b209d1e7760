"""Output fits a terminal of 80 columns, and control characters are escaped."""

from __future__ import annotations

from importlib import import_module

import pytest

from tal_search.cli.console import count, folded, printable, styled
from tal_search.cli.main import COMMANDS, USAGE, main


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


def test_control_characters_are_escaped_and_text_is_not() -> None:
    assert printable("é \x1b[31m\n\u202e") == "é \\x1b[31m\\n\\u202e"


def test_paths_and_names_are_never_broken() -> None:
    text = "Tables: runs/a-name-that-is-long/sensitivity.csv and more words"
    assert folded(text, None) == text
    assert folded(text, 20, indent=2).splitlines() == [
        "Tables:", "  runs/a-name-that-is-long/sensitivity.csv", "  and more words",
    ]  # fmt: skip


def test_counts_and_warnings() -> None:
    assert [count(number, "cell") for number in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
    assert str(styled("WARNING: x").style) == "bold red"
    assert not styled("x").style
