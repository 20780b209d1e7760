"""Access control before every page: host and origin checks, a token for addresses beyond loopback, bounded JSON.

Applied to every method and path, callbacks included, before any code of the dashboards sees the request.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from io import BytesIO
from urllib.parse import parse_qsl, urlencode
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tal_dashboards.web.connections import DELAY, Delay
from tal_dashboards.web.headers import with_headers
from tal_dashboards.web.json_body import checked
from tal_dashboards.web.public import PORTS, Public
from tal_dashboards.web.wrong_tokens import WrongTokens

METHODS = ("GET", "HEAD", "POST")
COOKIE = "tal_search_token"
MOST_FIELDS = 100  # of a query


class Guard:
    """WSGI middleware that refuses requests to other hosts, from other origins, and without the token.

    hosts: names and addresses of the server, as in URLs; port: where it listens. token: expected once as ?token=...,
    then kept as a cookie. public: the address of a proxy or tunnel. place: the path of the page that a path belongs to,
    made from names that the server knows, so that no answer repeats a path of the client.
    """

    def __init__(
        self,
        app: WSGIApplication,
        hosts: Iterable[str],
        port: int,
        token: str | None = None,
        public: Public | None = None,
        place: Callable[[str], str] = "/".format,
    ) -> None:
        self.app, self.token, self.public, self.place = app, token, public, place
        own = {f"{name}:{port}" for name in hosts} | ({*hosts} if port == PORTS["http"] else set())
        self.origins = {f"http://{host}" for host in own} | ({public.origin} if public else set())
        self.hosts = own | (public.hosts if public else frozenset())
        self._wrong = WrongTokens()
        # Random rather than made from the token, so that guessing cookies is no way to guess the token. Browsers send
        # the cookies of all ports of a host, so its name has the port.
        self._cookie, self._cookie_name = secrets.token_urlsafe(32), f"{COOKIE}_{port}"

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        begin = with_headers(start)
        answer = self._answer(environ, begin)
        if environ["REQUEST_METHOD"] != "HEAD":
            return answer
        if hasattr(answer, "close"):
            answer.close()
        return []

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        refused = self._refused(environ)
        if refused is not None:
            return _answer(start, *refused)
        if self.token is not None and not self._known(environ):
            return self._login(environ, start)
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read()
            try:
                checked(body)
            except ValueError as error:
                return _answer(start, "400 Bad Request", str(error))
            environ = {**environ, "wsgi.input": BytesIO(body)}
        return self.app(environ, start)

    def _refused(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Status and message for a refused request; the host is checked first, so that nothing else can be probed."""
        if environ.get("HTTP_HOST", "").lower() not in self.hosts:
            return "403 Forbidden", "This host is not the address the dashboard is bound to."
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() not in self.origins:
            return "403 Forbidden", "Requests from pages of another origin are refused."
        if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site" and environ.get("HTTP_SEC_FETCH_MODE") != "navigate":
            return "403 Forbidden", "Requests from pages of another origin are refused."
        if environ["REQUEST_METHOD"] not in METHODS:
            return "405 Method Not Allowed", "Only GET, HEAD and POST are allowed."
        if environ["REQUEST_METHOD"] == "POST" and "CONTENT_LENGTH" not in environ:
            return "411 Length Required", "The Content-Length header is missing."
        if environ.get("QUERY_STRING", "").count("&") >= MOST_FIELDS:
            return "400 Bad Request", f"The query may have at most {MOST_FIELDS} fields."
        return None

    def _known(self, environ: WSGIEnvironment) -> bool:
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(self._cookie_name)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._cookie.encode())

    def _login(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Exchange the token of the query for a cookie, and redirect to the page without it."""
        query = parse_qsl(environ.get("QUERY_STRING", ""))
        given = dict(query).get("token")
        if given is None:
            return _answer(start, "401 Unauthorized", "Open the address with ?token=... as the command printed it.")
        if self._wrong.crowded():
            return _answer(start, "429 Too Many Requests", "Too many wrong tokens; wait.", [("Retry-After", "8")])
        if not hmac.compare_digest(given.encode(), (self.token or "").encode()):
            hold: Delay = environ[DELAY]
            hold(self._wrong.wrong())
            return _answer(start, "401 Unauthorized", "This is not the token.")
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        place = self.place(environ.get("PATH_INFO", "/").encode("latin-1").decode(errors="replace"))
        headers = [("Location", f"{place}?{rest}" if rest else place), ("Set-Cookie", self._set_cookie(environ))]
        return _answer(start, "303 See Other", "", headers)

    def _set_cookie(self, environ: WSGIEnvironment) -> str:
        public = self.public
        outside = public is not None and public.secure and environ.get("HTTP_HOST", "").lower() in public.hosts
        prefix, secure = public.prefix if public else "", "; Secure" if outside else ""
        return f"{self._cookie_name}={self._cookie}; HttpOnly; SameSite=Strict; Path={prefix}/{secure}"


def _answer(start: StartResponse, status: str, words: str, headers: Iterable[tuple[str, str]] = ()) -> Iterable[bytes]:
    body = words.encode()
    plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start(status, [*plain, *headers])
    return [body]
