"""Security headers of every answer, also of those that the HTTP server makes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from wsgiref.types import StartResponse

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HEADERS = {
    "Content-Security-Policy": NOTHING,
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def page_policy(script_hashes: Iterable[str]) -> str:
    """The Content-Security-Policy of a Dash page; its few inline scripts are allowed by their hashes.

    Plotly needs inline styles, and data: and blob: URLs to draw images of figures.
    """
    scripts = " ".join(("'self'", *script_hashes))
    return (
        f"{NOTHING}; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'"
    )


def completed(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers of an answer, with the security headers that it has not set itself."""
    own = list(headers)
    names = {name.lower() for name, _ in own}
    return own + [(name, text) for name, text in HEADERS.items() if name.lower() not in names]


def with_headers(start: StartResponse) -> StartResponse:
    """`start_response` of an application, which adds the security headers."""

    def begin(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Callable[[bytes], object]:
        return start(status, completed(headers), exc_info)

    return begin
