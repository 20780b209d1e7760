"""Access control before every page: host and origin checks, a token for addresses beyond loopback, security headers.

Applied to every method and path, callbacks included, before any code of the dashboards sees the request.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from types import TracebackType
from urllib.parse import parse_qsl, urlencode
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tal_search.errors import InputError

METHODS = ("GET", "HEAD", "POST")
MOST_BYTES = 1_000_000  # of a request's body; callbacks send a few hundred
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
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def page_policy(script_hashes: Iterable[str]) -> str:
    """The Content-Security-Policy of a Dash page; its few inline scripts are allowed by their hashes.

    Plotly needs inline styles, and data: and blob: URLs to draw images of figures.
    """
    scripts = " ".join(("'self'", *script_hashes))
    return (
        f"{NOTHING}; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'"
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_binding(host: str, token: str | None) -> None:
    """Raise InputError for an unsafe binding: all addresses, or one beyond loopback with no token or a short one."""
    if host in ("", "*", "0.0.0.0", "::"):  # noqa: S104
        raise InputError(
            f"command line: host={host} is every address of this machine; give the one that others will use"
        )
    if is_loopback(host):
        return
    if token is None:
        raise InputError(
            f"command line: host={host} is open to other machines and therefore needs a token; set "
            "TAL_SEARCH_TOKEN, or give token_file=FILE"
        )
    if len(token) < SHORTEST_TOKEN:
        raise InputError(f"the token has {len(token)} characters; give at least {SHORTEST_TOKEN}")


class Guard:
    """WSGI middleware that refuses requests to other hosts, from other origins, and without the token.

    host, port: the address the server is bound to. token: expected once as ?token=..., then kept as a cookie.
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
            return self._login(environ, start)
        return self.app(environ, _with_headers(start))

    def _refused(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Status and message for a refused request; the host is checked first, so that nothing else can be probed."""
        if environ.get("HTTP_HOST", "").lower() not in self.hosts:
            return "403 Forbidden", "This host is not the address the dashboard is bound to."
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts}:
            return "403 Forbidden", "Requests from pages of another origin are refused."
        if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site" and environ.get("HTTP_SEC_FETCH_MODE") != "navigate":
            return "403 Forbidden", "Requests from pages of another origin are refused."
        if environ["REQUEST_METHOD"] not in METHODS:
            return "405 Method Not Allowed", "Only GET, HEAD and POST are allowed."
        if environ["REQUEST_METHOD"] == "POST":
            length = environ.get("CONTENT_LENGTH") or ""
            if not length.isdecimal():
                return "411 Length Required", "The Content-Length header is missing."
            if int(length) > MOST_BYTES:
                return "413 Content Too Large", f"The body may have at most {MOST_BYTES} bytes."
        return None

    def _known(self, environ: WSGIEnvironment) -> bool:
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._cookie.encode())

    @property
    def _cookie(self) -> str:
        """The cookie's value: a hash of the token, not the token."""
        return hashlib.sha256(f"tal-search cookie {self.token}".encode()).hexdigest()

    def _login(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Exchange the token of the query for a cookie, and redirect to the address without it."""
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


def _with_headers(start: StartResponse) -> StartResponse:
    """Add the security headers that an answer has not set itself."""

    def begin(
        status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        own = {name.lower() for name, _ in headers}
        added = {"Content-Security-Policy": NOTHING, "Cache-Control": "no-store", **HEADERS}
        missing = [(name, text) for name, text in added.items() if name.lower() not in own]
        return start(status, [*headers, *missing], exc_info)

    return begin
