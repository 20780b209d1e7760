"""What stands before every page: only the bound address is answered, only its own pages may ask, and only by name.

Checked on every method and path, callbacks included, before any of the dashboard's code sees the request.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tal_search.errors import InputError

METHODS = ("GET", "HEAD", "POST")
MOST_BYTES = 1_000_000  # of a request's body; a callback sends a few hundred
COOKIE = "tal_search_token"
SHORTEST_TOKEN = 16
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def page_policy(script_hashes: Iterable[str]) -> str:
    """The Content-Security-Policy of a page of Dash, whose few inline scripts are known by their hashes.

    Plotly writes styles into the page, and draws pictures of figures from data: and blob: addresses.
    """
    scripts = " ".join(("'self'", *script_hashes))
    return (
        f"{NOTHING}; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'"
    )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_binding(host: str, token: str | None) -> None:
    """Raises InputError where a host cannot be bound safely: every address, or a token that is missing or short."""
    if host in ("", "*", "0.0.0.0", "::"):  # noqa: S104
        raise InputError(f"command line: host={host} is every address of this machine; give the one others will use")
    if is_loopback(host):
        return
    if token is None:
        raise InputError(
            f"command line: host={host} is open to other machines, which demands a token; set "
            "TAL_SEARCH_TOKEN, or give token_file=FILE"
        )
    if len(token) < SHORTEST_TOKEN:
        raise InputError(f"the token has {len(token)} characters; give at least {SHORTEST_TOKEN}")


class Guard:
    """A WSGI application that answers only what is asked of it at its own address, by its own pages.

    host, port: what the server is bound to. token: asked for once as ?token=..., then known by a cookie.
    """

    def __init__(self, app: WSGIApplication, host: str, port: int, token: str | None = None) -> None:
        names = {"127.0.0.1", "localhost", "[::1]"} if is_loopback(host) else set()
        shown = f"[{host}]" if ":" in host else host
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}".lower() for name in {*names, shown}}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        refused = self._refused(environ)
        if refused is not None:
            return _answer(start, *refused)
        if self.token is not None and not self._known(environ):
            return self._asked(environ, start)
        return self.app(environ, _with_headers(start))

    def _refused(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Status and words of what is not answered; the address comes first, so that nothing else can be probed."""
        if environ.get("HTTP_HOST", "").lower() not in self.hosts:
            return "403 Forbidden", "This host is not the address the dashboard is bound to."
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts}:
            return "403 Forbidden", "Pages of another origin may not ask."
        if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site" and environ.get("HTTP_SEC_FETCH_MODE") != "navigate":
            return "403 Forbidden", "Pages of another origin may not ask."
        if environ["REQUEST_METHOD"] not in METHODS:
            return "405 Method Not Allowed", "Only GET, HEAD and POST are answered."
        if environ["REQUEST_METHOD"] == "POST":
            length = environ.get("CONTENT_LENGTH") or ""
            if not length.isdecimal():
                return "411 Length Required", "The length of the body is missing."
            if int(length) > MOST_BYTES:
                return "413 Content Too Large", f"At most {MOST_BYTES} bytes are read."
        return None

    def _known(self, environ: WSGIEnvironment) -> bool:
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._cookie.encode())

    @property
    def _cookie(self) -> str:
        """What the browser keeps: made from the token, not the token."""
        return hashlib.sha256(f"tal-search cookie {self.token}".encode()).hexdigest()

    def _asked(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """The token in the query is exchanged for a cookie, and leaves the address bar."""
        query = parse_qsl(environ.get("QUERY_STRING", ""))
        given = dict(query).get("token", "")
        if not hmac.compare_digest(given.encode(), (self.token or "").encode()):
            return _answer(start, "401 Unauthorized", "Open the address with ?token=... as the command printed it.")
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        path = "/" + environ.get("PATH_INFO", "/").lstrip("/")
        cookie = f"{COOKIE}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"
        headers = [("Location", f"{path}?{rest}" if rest else path), ("Set-Cookie", cookie)]
        return _answer(start, "303 See Other", "", headers)


def _answer(start: StartResponse, status: str, words: str, headers: Iterable[tuple[str, str]] = ()) -> Iterable[bytes]:
    body = words.encode()
    plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    _with_headers(start)(status, [*plain, *headers])
    return [body]


def _with_headers(start: StartResponse) -> Callable[..., Any]:
    def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        own = {name.lower() for name, _ in headers}
        added = {"Content-Security-Policy": NOTHING, "Cache-Control": "no-store", **HEADERS}
        return start(
            status, [*headers, *((name, text) for name, text in added.items() if name.lower() not in own)], *rest
        )

    return begin
