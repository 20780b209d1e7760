"""HTTP requests as the server accepts them: bounded, and in only one reading.

Waitress bounds headers and bodies and refuses bare line ends. What two servers could read differently is refused here
in addition, so that no request can hide in another behind a proxy (RFC 9112, 11.2). That includes chunked bodies, which
neither browsers nor proxies need for requests of known length.
"""

from __future__ import annotations

import re

from waitress.parser import HTTPRequestParser
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge, RequestHeaderFieldsTooLarge

MOST_BODY = 1_000_000  # bytes; callbacks send a few hundred
MOST_LINE = 16_384  # bytes of the request line; a page's choices are in its address
MOST_DIGITS = 20  # of a Content-Length, zeros in front included
MOST_HEADERS = 65_536  # bytes, request line included
FIRST_LINE = re.compile(rb"[A-Z]+ /[!-~]* HTTP/1\.[01]")
VERSION = re.compile(rb"\S+ \S+ HTTP/[0-9](\.[0-9])?")
ONCE = (b"host", b"content-length", b"transfer-encoding")


class LengthRequired(Error):
    code, reason = 411, "Length Required"


class UriTooLong(Error):
    code, reason = 414, "URI Too Long"


class VersionNotSupported(Error):
    code, reason = 505, "HTTP Version Not Supported"


class RequestParser(HTTPRequestParser):
    """Waitress's parser, which also refuses what is ambiguous. `error` holds the answer to a refused request.

    rest: what was received after this request; it is left to the connection, which reads one request at a time.
    """

    rest = b""

    def received(self, data: bytes) -> int:
        begun = self.header_plus + data if self.body_rcv is None else b""
        consumed = super().received(data)
        if isinstance(self.error, RequestHeaderFieldsTooLarge) and b"\r\n" not in begun[:MOST_LINE]:
            self.error = UriTooLong(f"The request line may have at most {MOST_LINE} bytes.")
        if self.completed and not self.empty:
            self.rest, consumed = data[consumed:], len(data)
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers, or set `error`."""
        self.error = problem(header_plus)
        if self.error is None:
            super().parse_header(header_plus)


def problem(head: bytes) -> Error | None:
    """Why a request with this request line and these headers is refused; None if it is not."""
    line, _, rest = head.partition(b"\r\n")
    if len(line) > MOST_LINE:
        return UriTooLong(f"The request line may have at most {MOST_LINE} bytes.")
    if not FIRST_LINE.fullmatch(line):
        if VERSION.fullmatch(line) and not line.endswith((b"HTTP/1.0", b"HTTP/1.1")):
            return VersionNotSupported("Only HTTP/1.0 and HTTP/1.1 are spoken.")
        return BadRequest("The request line is invalid.")
    lines = [one for one in rest.split(b"\r\n") if one]
    if any(one[:1] in b" \t" for one in lines):
        return BadRequest("A header continues on a second line.")
    if any(b"\r" in one or b"\n" in one for one in lines):
        return BadRequest("A line ends in a bare CR or LF.")
    named: dict[bytes, list[bytes]] = {}
    for one in lines:
        name, _, value = one.partition(b":")
        named.setdefault(name.lower(), []).append(value.strip(b" \t"))
    if any(len(named.get(name, [])) > 1 for name in ONCE):
        return BadRequest("A header that may appear once appears twice.")
    return _body_problem(line, named)


def _body_problem(line: bytes, named: dict[bytes, list[bytes]]) -> Error | None:
    coding, length = named.get(b"transfer-encoding"), named.get(b"content-length")
    if coding and (length or line.endswith(b"1.0")):
        return BadRequest("Transfer-Encoding and Content-Length exclude each other.")
    if coding:
        return LengthRequired("A body needs a Content-Length; chunked bodies are refused.")
    if length and not (length[0].isdigit() and length[0].isascii()):
        return BadRequest("Content-Length is not a number.")
    if length and len(length[0].lstrip(b"0")) > len(str(MOST_BODY)):
        return RequestEntityTooLarge(f"The body may have at most {MOST_BODY} bytes.")
    if length and len(length[0]) > MOST_DIGITS:
        return BadRequest(f"Content-Length may have at most {MOST_DIGITS} digits.")
    return None
