"""The complexity command: a row per preset, and sizes that are refused."""

from __future__ import annotations

import pytest

from tal_search.cli.commands.complexity import complexity_text
from tal_search.cli.main import main


def test_a_method_has_a_row_for_each_of_its_presets() -> None:
    table = complexity_text(["backtal", "basnet"], snippets=16, channels=8, classes=3)
    assert [row[:3] for row in table.rows] == [
        ["backtal", "paper", "16"], ["backtal", "release", "16"],
        ["basnet", "paper", "16"], ["basnet", "release", "16"], ["basnet", "adapted", "16"],
    ]  # fmt: skip
    assert table.rows[0][-2:] == ["14.72 %", "14.89 %"]
    assert table.rows[2][-2:] == ["not available"] * 2


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("channels=7", "channels=7 is odd; half of the channels are RGB, half are flow"),
        ("snippets=1", "snippets=1 is not a whole number of at least 2"),
        ("method=bactal", "method=bactal is not one of actionformer, asl, backtal"),
    ],
)
def test_sizes_and_methods_are_checked(argument: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["complexity", *(["method=all"] if "method" not in argument else []), argument]) == 2
    assert sentence in capsys.readouterr().err
