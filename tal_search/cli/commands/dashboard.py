"""The dashboard command: serves the results of studies to a browser."""

from __future__ import annotations

import os
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse, whole
from tal_search.cli.console import console
from tal_search.errors import InputError, require_packages

USAGE = """\
tal-search dashboard [study=NAME] [runs=FOLDER] [port=8050]
                     [host=ADDRESS] [token_file=FILE]

Serves the dashboards of the studies in FOLDER (default: runs) until Ctrl-C.
Without study=NAME the first page lists them. Only this machine can connect,
unless host=ADDRESS binds another address; that requires a token, from the
environment variable TAL_SEARCH_TOKEN or from the file token_file.
"""
PORT = whole(0, 65535, "is not a port; give a number from 1 to 65535, or 0 for any free port")
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
    """Serve until interrupted; returns the exit code. Raises InputError: bad arguments, or a host without a token."""
    given = parse(GRAMMAR, arguments).values
    host, runs = given["host"], given["runs"]
    token = _token(given["token_file"])
    require_packages("dash", "plotly", extra="dashboards")
    from tal_dashboards.app.security import check_binding
    from tal_dashboards.app.server import bound_server

    check_binding(host, token)
    server = bound_server(runs, given["study"], host, given["port"], token)
    shown = f"[{host}]" if ":" in host else host
    ask = "?token=(the token)" if token else ""
    screen = console()
    screen.print(f"Dashboards of {runs}: http://{shown}:{server.server_address[1]}/{ask}", markup=False, soft_wrap=True)
    screen.print("Press Ctrl-C to stop.")
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
