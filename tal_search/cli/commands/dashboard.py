"""The dashboard command: serves the results of studies to a browser."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tal_dashboards.web.binding import SHORTEST_TOKEN
from tal_dashboards.web.public import public_address
from tal_search.cli.arguments import Grammar, Key, parse, whole
from tal_search.cli.console import console, print_line
from tal_search.errors import InputError, Problems, require_packages

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
LONGEST_TOKEN = 1000  # characters
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
    require_packages("dash", "plotly", "waitress", extra="dashboards")
    from tal_dashboards.app.server import bound_server

    problems, token, public = Problems(), None, None
    with problems.gather():
        token = token_of(given["token_file"], os.environb.get(b"TAL_SEARCH_TOKEN"))
    with problems.gather():
        public = public_address(given["public"]) if given["public"] is not None else None
        if public and not public.local:
            _require_long(token, public.url)
    with problems.gather():
        _require_folder(runs)
    problems.raise_if_any()
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


def token_of(file: Path | None, variable: bytes | None) -> str | None:
    """The token of a file, else of the environment variable; None if neither is given.

    Raises InputError unless it is one printable line of 1 to LONGEST_TOKEN characters.
    """
    if file is None and variable is None:
        return None
    place = "TAL_SEARCH_TOKEN" if file is None else f"command line: token_file={file}"
    written = (variable or b"") if file is None else _content(file)
    write = f"write {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters on one line"
    try:
        token = written.decode().strip()
    except UnicodeDecodeError:
        raise InputError(f"{place} is not UTF-8; {write}") from None
    if not token:
        unset = ", or unset it" if file is None else ""
        least = f"write at least {SHORTEST_TOKEN} characters, such as those of: openssl rand -hex 16"
        raise InputError(f"{place} holds no token; {least}{unset}")
    if len(token) > LONGEST_TOKEN or not token.isprintable():
        what = "is too long for a token" if len(token) > LONGEST_TOKEN else "is not one line of printable characters"
        raise InputError(f"{place} {what}; {write}")
    return token


def _content(file: Path) -> bytes:
    """The first bytes of a regular file, more than a token may have; a pipe or device is not opened for reading."""
    refused = f"command line: token_file={file} cannot be read"
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise InputError(f"{refused}: there is no such file; correct the path") from None
    except PermissionError:
        raise InputError(f"{refused}: this user may not read it; change its permissions") from None
    except (OSError, ValueError):
        raise InputError(f"{refused}; give the path of a text file") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{refused}: it is no regular file; give the path of a text file")
        return os.read(descriptor, 4 * LONGEST_TOKEN + 100)
    finally:
        os.close(descriptor)


def _require_long(token: str | None, url: str) -> None:
    if token is not None and len(token) < SHORTEST_TOKEN:
        reason = f"public={url} is open to others, and the token has {len(token)} characters"
        raise InputError(f"command line: {reason}; give at least {SHORTEST_TOKEN}")


def _require_folder(runs: Path) -> None:
    from tal_search.text.commands import command_line, repeated

    if runs.exists() and not runs.is_dir():
        raise InputError(f"command line: runs={runs} is a file; give the folder of the studies")
    if not runs.is_dir():
        run = command_line("run", *repeated("quickstart", runs, ()))
        raise InputError(f"command line: runs={runs} does not exist, so no study was run there yet; start one: {run}")
