"""Requests that are refused while they are read: too large, or with more than one reading."""

from __future__ import annotations

import pytest

from tal_dashboards.web.request_parser import MOST_BODY, MOST_LINE, problem

GET, POST = b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"GET /" + b"a" * MOST_LINE + b" HTTP/1.1\r\n", 414),
        (b"GET / HTTP/2.0\r\n", 505), (b"GET / HTTP/1.2\r\n", 505), (b"GET / HTTP/3\r\n", 505),
        (b"GET /\r\n", 400), (b"get / HTTP/1.1\r\n", 400), (b"GET  / HTTP/1.1\r\n", 400), (b"\x16\x03\x01\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\n", 400), (b"GET evil.example HTTP/1.1\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n", 400), (b"GET /\x00 HTTP/1.1\r\n", 400), (b"GET /\xe9 HTTP/1.1\r\n", 400),
        (GET + b"Host: y\r\n", 400), (GET + b" folded: 1\r\n", 400), (GET + b"\tfolded: 1\r\n", 400),
        (POST + b"Content-Length: -1\r\n", 400), (POST + b"Content-Length: +1\r\n", 400),
        (POST + b"Content-Length: 0x10\r\n", 400), (POST + b"Content-Length: \r\n", 400),
        (POST + b"Content-Length: 5, 5\r\n", 400), (POST + b"Content-Length: \xb2\r\n", 400),
        (POST + b"Content-Length: 5\r\ncontent-length: 5\r\n", 400),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n", 413),
        (POST + b"Content-Length: " + b"0" * 5000 + b"2\r\n", 400),
        (GET + b"A: secret\nB: c\r\n", 400), (GET + b"A: secret\rB: c\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n", 411), (POST + b"Transfer-Encoding: identity\r\n", 411),
        (POST + b"Transfer-Encoding:\x0bchunked\r\n", 411),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400),
    ],
)  # fmt: skip
def test_a_request_with_two_readings_or_without_bounds_is_refused(head: bytes, code: int) -> None:
    found = problem(head)
    assert found is not None
    assert found.code == code
    assert "secret" not in found.body


@pytest.mark.parametrize(
    "head",
    [
        GET, b"HEAD /a/?b=%0d%0a HTTP/1.0\r\n", POST + b"Content-Length: %d\r\n" % MOST_BODY,
        POST + b"Content-Length: 0000000000000000005\r\n", b"GET //evil.example/ HTTP/1.1\r\nHost: x\r\n",
    ],
)  # fmt: skip
def test_requests_of_browsers_are_read(head: bytes) -> None:
    assert problem(head) is None
