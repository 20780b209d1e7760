"""The dashboard and export commands before anything is served or written: arguments, tokens and missing packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tal_dashboards.web.connections import Server
from tal_search.cli.commands.dashboard import token_of
from tal_search.cli.main import main
from tal_search.errors import InputError


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
    monkeypatch.delenv("TAL_SEARCH_TOKEN", raising=False)
    if token:
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


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "holds no token; write at least 16 characters"), (b" \n\t", "holds no token; write at least 16 characters"),
     (b"\xff" * 20, "is not UTF-8"), (b"x" * 1001, "is too long for a token"), (b"x" * 90_000, "is too long"),
     (b"x" * 16 + b"\ny", "is not one line of printable characters"), (b"x" * 16 + b"\x1b", "printable")],
)  # fmt: skip
def test_a_token_is_one_printable_line(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(InputError, match=f"token_file=.*token {sentence}" if sentence != "printable" else sentence):
        token_of(tmp_path / "token", b"y" * 20)
    with pytest.raises(InputError, match="TAL_SEARCH_TOKEN "):
        token_of(None, content)


def test_a_token_file_is_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="it is no regular file; give the path of a text file"):
            token_of(file, None)
    (tmp_path / "token").write_text("x" * 16 + "\n")
    assert token_of(tmp_path / "token", None) == "x" * 16


def test_all_problems_of_the_command_line_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TAL_SEARCH_TOKEN", "")
    assert main(["dashboard", "public=x", f"runs={tmp_path / 'file'}"]) == 2
    token, public, runs = capsys.readouterr().err.splitlines()
    assert "TAL_SEARCH_TOKEN holds no token" in token
    assert "public=x is not an address" in public
    assert f"runs={tmp_path / 'file'} is a file" in runs
    monkeypatch.setenv("TAL_SEARCH_TOKEN", "short")
    assert main(["dashboard", "public=https://lab.example/", f"runs={tmp_path / 'none'}"]) == 2
    public, runs = capsys.readouterr().err.splitlines()
    assert "public=https://lab.example/ is open to others, and the token has 5 characters" in public
    assert "does not exist, so no study was run there yet; start one: tal-search run" in runs
