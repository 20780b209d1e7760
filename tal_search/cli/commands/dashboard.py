"""The dashboard command: what a study found, in a browser."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse, whole
from tal_search.cli.console import console
from tal_search.errors import InputError, MissingExtra

USAGE = """\
tal-search dashboard [study=NAME] [port=8050] [host=ADDRESS] [token_file=FILE] [runs=FOLDER]

Serves the dashboards of the studies in FOLDER (`runs` unless named) to this machine alone, until Ctrl-C. Without
study=NAME it lists them. host=ADDRESS binds another address, which demands a token: in the environment variable
TAL_SEARCH_TOKEN, or in the file of token_file.
"""
PORT = whole(0, 65535, "is no port; give a number from 0 (any free one) to 65535")
GRAMMAR = Grammar(
    command="dashboard",
    keys={
        "study": Key(),
        "port": Key(convert=PORT, default=8050),
        "host": Key(default="127.0.0.1"),
        "token_file": Key(convert=Path),
        "runs": Key(convert=Path, default=Path("runs")),
    },
)


def command(arguments: list[str]) -> int:
    """Serve until interrupted; returns the exit code. Raises InputError: bad arguments, an address it may not bind."""
    given = parse(GRAMMAR, arguments).values
    host, runs = given["host"], given["runs"]
    token = _token(given["token_file"])
    require_dash()
    from tal_dashboards.app.security import check_binding
    from tal_dashboards.app.server import bound_server

    check_binding(host, token)
    server = bound_server(runs, given["study"], host, given["port"], token)
    shown = f"[{host}]" if ":" in host else host
    ask = "?token=(the token)" if token else ""
    screen = console()
    screen.print(f"Dashboards of {runs}: http://{shown}:{server.server_address[1]}/{ask}", markup=False, soft_wrap=True)
    screen.print("Ctrl-C ends it.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("TAL_SEARCH_TOKEN") or None
    try:
        return file.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"command line: token_file={file} cannot be read ({error}); correct the path") from None


def require_dash() -> None:
    """Raises MissingExtra where Dash or Plotly is not installed."""
    for package in ("dash", "plotly"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "dashboards")
