"""The dashboard and export commands before anything is served or written: arguments, tokens and missing packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tal_dashboards.web.connections import Server
from tal_search.cli.main import main


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_is_a_number_that_there_is(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", f"port={port}"]) == 2
    sentence = f"command line: port={port} is not a port; give a number from 1 to 65535, or 0 for any free port\n"
    assert capsys.readouterr().err == sentence


def test_a_token_file_that_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", f"token_file={tmp_path / 'token'}"]) == 2
    assert f"token_file={tmp_path / 'token'} cannot be read" in capsys.readouterr().err


def test_a_public_address_is_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", "public=lab.example/tal"]) == 2
    assert "public=lab.example/tal is not an address; give https://HOST/PREFIX" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("public", "token", "warned"),
    [("https://lab.example/tal", "", True), ("https://lab.example/tal", "x" * 16, False),
     ("http://localhost:1/", "", False)],
)  # fmt: skip
def test_who_can_read_the_studies_is_said_where_it_is_not_only_this_machine(
    public: str, token: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("TAL_SEARCH_TOKEN", token)
    monkeypatch.setattr(Server, "serve_forever", interrupted)
    assert main(["dashboard", f"public={public}", "port=0", f"runs={tmp_path}"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Dashboards of {tmp_path}: {public.rstrip('/')}/{'?token=(the token)' if token else ''}" in shown
    assert "The proxy connects to http://127.0.0.1:" in shown
    assert ("Everyone who can open https://lab.example/tal/ reads the studies" in shown) == warned


def interrupted(server: Server) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("arguments", [["dashboard"], ["export", "study=x", "out=y"]], ids=["dashboard", "export"])
def test_without_dash_the_extra_is_named(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "dash", None)
    assert main(arguments) == 2
    assert capsys.readouterr().err == "dash is not installed; run: pip install 'tal-search[dashboards]'\n"
