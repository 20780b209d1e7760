"""The address under which a tunnel or proxy shows the dashboards: one further host, origin and prefix."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from tal_dashboards.web.binding import is_loopback
from tal_search.errors import InputError

PORTS = {"https": 443, "http": 80}
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


class Public(NamedTuple):
    """hosts: accepted as the Host header; origin: as a browser sends it; prefix: "" or "/a/b"."""

    hosts: frozenset[str]
    origin: str
    prefix: str
    local: bool

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def url(self) -> str:
        return f"{self.origin}{self.prefix}/"


def public_address(text: str) -> Public:
    """The parts of `https://HOST[:PORT][/PREFIX]`, http too. Raises InputError for anything else."""
    try:
        url = urlsplit(text)
        host = url.netloc.lower().removesuffix(f":{url.port}" if url.port is not None else ":")
        port = url.port
    except ValueError:
        raise _refused(text) from None
    prefix = url.path.rstrip("/")
    plain = url.scheme in PORTS and not url.query and not url.fragment and text.isascii() and text.isprintable()
    if not (plain and HOST.fullmatch(host) and PREFIX.fullmatch(prefix)):
        raise _refused(text)
    usual = PORTS[url.scheme]
    shown = host if port in (None, usual) else f"{host}:{port}"
    hosts = {shown, f"{host}:{usual}"} if shown == host else {shown}
    return Public(frozenset(hosts), f"{url.scheme}://{shown}", prefix, is_loopback(host.strip("[]")))


def _refused(text: str) -> InputError:
    return InputError(
        f"command line: public={text} is not an address; give https://HOST/PREFIX, as others open it (the prefix of "
        "letters, digits, '-', '_', '.', '~' and '/')"
    )
