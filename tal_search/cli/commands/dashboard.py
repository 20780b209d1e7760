"""The dashboard and export commands: what a study found, in a browser and as files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from tal_search.cli.console import console
from tal_search.errors import InputError, MissingExtra

DASHBOARD_USAGE = """\
tal-search dashboard [study=NAME] [port=8050] [host=ADDRESS] [token_file=FILE] [runs=FOLDER]

Serves the dashboards of the studies in FOLDER (`runs` unless named) to this machine alone, until Ctrl-C. Without
study=NAME it lists them. host=ADDRESS binds another address, which demands a token: in the environment variable
TAL_SEARCH_TOKEN, or in the file of token_file.
"""
EXPORT_USAGE = """\
tal-search export study=NAME out=FOLDER [runs=FOLDER]

Writes what the dashboards of a study show into a folder: one HTML file that needs no network, CSV and LaTeX (booktabs)
of every table, SVG and PNG of every figure where a Chromium is installed.
"""


def dashboard(arguments: list[str]) -> int:
    """Serve until interrupted; returns the exit code. Raises InputError: bad arguments, an address it may not bind."""
    given = _parsed("dashboard", arguments, ("study", "port", "host", "token_file", "runs"))
    port, host = given.get("port", "8050"), given.get("host", "127.0.0.1")
    if not port.isdecimal() or int(port) > 65535:
        raise InputError(f"command line: port={port} is no port; give a number from 0 (any free one) to 65535")
    token = _token(given.get("token_file"))
    _require_dash()
    from tal_dashboards.app.security import check_binding
    from tal_dashboards.app.server import bound_server

    check_binding(host, token)
    runs = Path(given.get("runs", "runs"))
    server = bound_server(runs, given.get("study"), host, int(port), token)
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


def export(arguments: list[str]) -> int:
    """Write the files; returns the exit code. Raises InputError: bad arguments, no such study."""
    given = _parsed("export", arguments, ("study", "out", "runs"))
    missing = [f"command line: {key}= is missing; write export study=NAME out=FOLDER"
               for key in ("study", "out") if key not in given]  # fmt: skip
    if missing:
        raise InputError(missing)
    _require_dash()
    from tal_dashboards.export.export import export_study

    for sentence in export_study(Path(given.get("runs", "runs")), given["study"], Path(given["out"])):
        console().print(sentence, markup=False, soft_wrap=True)
    return 0


def _parsed(command: str, arguments: list[str], keys: tuple[str, ...]) -> dict[str, str]:
    given, problems = {}, []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key in keys and value:
            given[key] = value
        else:
            known = ", ".join(f"{one}=" for one in keys)
            problems.append(f"command line: '{argument}' is unknown; {command} takes {known}")
    if problems:
        raise InputError(problems)
    return given


def _token(file: str | None) -> str | None:
    if file is None:
        return os.environ.get("TAL_SEARCH_TOKEN") or None
    try:
        return Path(file).read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"command line: token_file={file} cannot be read ({error}); correct the path") from None


def _require_dash() -> None:
    for package in ("dash", "plotly"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "dashboards")
