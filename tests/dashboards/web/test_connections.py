"""Connections: deadlines, bounds, and the headers of the server's own answers, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from tal_dashboards.web import connections
from tal_dashboards.web.connections import DELAY
from tal_dashboards.web.headers import HEADERS
from tal_dashboards.web.request_parser import MOST_BODY, MOST_HEADERS
from tests.support.raw_http import answer, connected, listening, raw

END = b"Host: x\r\nConnection: close\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n" + END


def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answers with the number of bytes of the body; fails at /fails, takes its time at /late, is large at /large."""
    if environ["PATH_INFO"] == "/fails":
        raise RuntimeError("a secret")
    if environ["PATH_INFO"] == "/late":
        environ[DELAY](0.5)
    start("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/large":
        return (b"x" * 1_000_000 for _ in range(40))
    if environ["PATH_INFO"] == "/larger":
        return [b"x" * 12_000_000]
    return [str(len(environ["wsgi.input"].read())).encode()]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(app) as found:
        yield found


def post(length: int, body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n" % length + END + body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET, 200), (post(5, b"12345"), 200), (post(MOST_BODY, b"x" * MOST_BODY), 200),
        (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + END + b"fffffff\r\n" + b"x" * 2 * MOST_BODY, 411),
        (post(MOST_BODY + 1, b"x" * (MOST_BODY + 1)), 413), (post(8 * MOST_BODY, b"x" * 8 * MOST_BODY), 413),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + END, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * MOST_HEADERS + b"\r\n" + END, 431),
        (b"GET /fails HTTP/1.1\r\n" + END, 500), (b"GET / HTTP/9.9\r\n" + END, 505),
    ],
)  # fmt: skip
def test_every_request_is_answered_by_its_status_and_errors_carry_the_headers(
    port: int, sent: bytes, status: int
) -> None:
    found = raw(port, sent)
    assert found.status == status
    assert b"secret" not in found.body
    assert found.headers["server"] == "tal-search"
    if status != 200:
        assert {name.lower(): text for name, text in HEADERS.items()}.items() <= found.headers.items()
        assert found.headers["connection"] == "close"


def test_no_request_hides_in_the_body_of_another(port: int) -> None:
    hidden = b"0\r\n\r\nGET /hidden HTTP/1.1\r\n" + END
    both = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(hidden)
    found = raw(port, both + hidden)
    assert found.status == 400
    assert b"HTTP/1.1" not in found.body


def test_two_requests_on_one_connection_are_answered_in_order(port: int) -> None:
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    found = raw(port, first + GET)
    assert found.body.startswith(b"3HTTP/1.1 200 OK")


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost:", post(5, b"12")], ids=["headers", "body"])
def test_a_request_that_never_ends_is_closed_however_slowly_it_trickles(
    port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "RECEIVING", 0.3)
    with connected(port) as slow:
        slow.sendall(sent)
        slow.settimeout(0.1)
        ended = False
        while not ended:
            try:
                slow.sendall(b"x")
                ended = slow.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                ended = True
        assert raw(port, GET).status == 200


def test_an_idle_connection_is_closed_before_and_after_a_request(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE", 0.3)
    with connected(port) as silent, connected(port) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(kept).status == 200
        assert answer(silent).status == 0


def test_slow_clients_hold_no_thread_and_too_many_connections_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "THREADS", 1)
    monkeypatch.setattr(connections, "CONNECTIONS", 7)  # two are the server's own
    monkeypatch.setattr(connections, "RECEIVING", 1.0)
    monkeypatch.setattr(connections, "IDLE", 0.3)
    with listening(app) as port:
        slow = [connected(port) for _ in range(4)]
        for one in slow:
            one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        started = time.monotonic()
        assert raw(port, GET).status == 200
        assert time.monotonic() - started < 1.0, "answered while the others are being received"
        slow += [connected(port) for _ in range(6)]
        assert raw(port, GET).status == 200
        for one in slow:
            one.close()


@pytest.mark.parametrize("path", [b"/large", b"/larger"])  # more than the server keeps, and less
def test_a_client_that_takes_no_answer_is_closed_and_frees_its_thread(
    path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "THREADS", 1)
    monkeypatch.setattr(connections, "CONNECTIONS", 3)  # two are the server's own
    monkeypatch.setattr(connections, "SENDING", 0.3)
    with listening(app) as port, connected(port) as slow:
        slow.sendall(b"GET " + path + b" HTTP/1.1\r\n" + END)
        assert raw(port, GET).status == 200
        assert len(answer(slow).body) < 12_000_000


def test_a_delayed_answer_holds_back_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "THREADS", 1)
    with listening(app) as port, connected(port) as late:
        started = time.monotonic()
        late.sendall(b"GET /late HTTP/1.1\r\n" + END)
        assert raw(port, GET).status == 200
        between = time.monotonic() - started
        assert answer(late).status == 200
        assert time.monotonic() - started >= 0.5
        assert between < 0.5


def test_clients_that_pipeline_and_take_nothing_hold_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "THREADS", 1)
    with listening(app) as port, connected(port) as slow:
        slow.sendall(b"GET /larger HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
        for _ in range(3):
            assert raw(port, GET).status == 200


def test_pipelined_requests_are_answered_one_after_the_other(port: int) -> None:
    late, large = (b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"late", b"larger"))
    body = raw(port, b"\r\n" + late + large + b"\r\n" + post(3, b"abc")[:-3] + b"abc" + GET).body
    assert body.count(b"HTTP/1.1 200 OK") == 2
    assert len(body) > 12_000_000
    assert body.endswith(b"3")
