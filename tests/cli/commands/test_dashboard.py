"""The dashboard and export commands before anything is served or written: arguments, tokens and missing packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tal_search.cli.main import main


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_is_a_number_that_there_is(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", f"port={port}"]) == 2
    sentence = f"command line: port={port} is not a port; give a number from 1 to 65535, or 0 for any free port\n"
    assert capsys.readouterr().err == sentence


def test_a_token_file_that_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", f"token_file={tmp_path / 'token'}"]) == 2
    assert f"token_file={tmp_path / 'token'} cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["dashboard"], ["export", "study=x", "out=y"]], ids=["dashboard", "export"])
def test_without_dash_the_extra_is_named(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "dash", None)
    assert main(arguments) == 2
    assert capsys.readouterr().err == "dash is not installed; run: pip install 'tal-search[dashboards]'\n"
