"""The dashboard command: serves the results of studies to a browser."""

from __future__ import annotations

import os
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse, whole
from tal_search.cli.console import console, print_line
from tal_search.errors import InputError, require_packages

USAGE = """\
tal-search dashboard [study=NAME] [runs=FOLDER] [port=8050]
                     [host=ADDRESS] [token_file=FILE]
                     [public=https://HOST/PREFIX]

Serves the dashboards of the studies in FOLDER (default: runs) until Ctrl-C.
Without study=NAME the first page lists them. Only this machine can connect,
unless host=ADDRESS binds another address; that requires a token, from the
environment variable TAL_SEARCH_TOKEN or from the file token_file. Behind a
proxy or tunnel, public= is the address that browsers open.
"""
PORT = whole(0, 65535, "is not a port; give a number from 1 to 65535, or 0 for any free port")
GRAMMAR = Grammar(
    command="dashboard",
    keys={
        "study": Key(),
        "port": Key(convert=PORT, default=8050),
        "host": Key(default="127.0.0.1"),
        "token_file": Key(convert=Path),
        "public": Key(),
        "runs": Key(convert=Path, default=Path("runs")),
    },
)


def command(arguments: list[str]) -> int:
    """Serve until interrupted; returns the exit code. Raises InputError: bad arguments, or a host without a token."""
    given = parse(GRAMMAR, arguments).values
    host, runs = given["host"], given["runs"]
    token = _token(given["token_file"])
    require_packages("dash", "plotly", "waitress", extra="dashboards")
    from tal_dashboards.app.server import bound_server
    from tal_dashboards.web.public import public_address

    public = public_address(given["public"]) if given["public"] is not None else None
    server = bound_server(runs, given["study"], host, given["port"], token, public)
    shown = f"[{host}]" if ":" in host else host
    url = public.url if public else f"http://{shown}:{server.server_address[1]}/"
    ask = "?token=(the token)" if token else ""
    screen = console()
    print_line(screen, f"Dashboards of {runs}: {url}{ask}")
    if public:
        print_line(screen, f"The proxy connects to http://{shown}:{server.server_address[1]}/")
    if public and not public.local and token is None:
        print_line(
            screen,
            f"Everyone who can open {public.url} reads the studies and writes notes; unless the proxy asks for a "
            "password, stop and set TAL_SEARCH_TOKEN.",
        )
    screen.print("Press Ctrl-C to stop.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("TAL_SEARCH_TOKEN") or None
    try:
        return file.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"command line: token_file={file} cannot be read ({error}); correct the path") from None
