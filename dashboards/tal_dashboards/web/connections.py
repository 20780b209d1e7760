"""The HTTP server: Waitress with deadlines for each connection, and security headers on its own error pages.

Waitress reads requests and sends answers without a thread per connection, so slow clients hold none.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask

from tal_dashboards.web.headers import completed
from tal_dashboards.web.request_parser import MOST_BODY, MOST_HEADERS, RequestParser

THREADS = 16  # requests drawn at the same time; a browser sends six
CONNECTIONS = 200  # at the same time; more wait to be accepted
RECEIVING = 20.0  # seconds for a whole request, from its first byte
IDLE = 30.0  # seconds between two requests
SENDING = 120.0  # seconds for a whole answer
DRAINING = 2.0  # seconds, and
MOST_DRAINED = 16 * MOST_BODY  # bytes, of the rest of a refused request that are read before the connection is closed
NO_LIMIT = 1 << 62  # bytes that wait for a client: a thread that wrote an answer never waits for it to be taken
MOST_KEPT = 6_000_000  # bytes of an answer in memory, more is buffered in a file; the largest script has 5 MB
TICK = 0.2  # seconds between two checks of the deadlines
DELAY = "tal_dashboards.delay"  # in the environ: a function that holds the answer back for some seconds
Delay = Callable[[float], None]


class _Error(ErrorTask):
    """An answer of the HTTP server itself, with the security headers."""

    def build_response_header(self) -> bytes:
        self.response_headers = completed(self.response_headers)
        return super().build_response_header()


class _Task(WSGITask):
    """A request to the application, which may delay its answer without holding a thread."""

    channel: Connection

    def get_environment(self) -> WSGIEnvironment:
        return {**super().get_environment(), DELAY: self.channel.hold}


class Connection(HTTPChannel):
    """A connection that is closed when it is late: with its request, with taking the answer, or with the next request.

    After a refused request the rest of it is read for a moment: closing a connection with unread input would reset it,
    and the client would lose the answer. Of pipelined requests, the next is begun when the answer before it was taken.
    """

    task_class, error_task_class, parser_class = _Task, _Error, RequestParser
    began = held_until = answered = 0.0  # of time.monotonic(): the current request, the answer's delay, the last answer
    refused = False
    drains_until = 0.0
    drained = 0
    ahead = b""  # what the client sent after the request in progress

    def __init__(self, *given: Any, **named: Any) -> None:  # as Waitress calls it
        super().__init__(*given, **named)
        self.answered = time.monotonic()

    def hold(self, seconds: float) -> None:
        """Send the answer after this many seconds."""
        self.held_until = time.monotonic() + seconds

    @property
    def _held(self) -> bool:
        return time.monotonic() < self.held_until

    def _late(self) -> bool:
        now = time.monotonic()
        if self.drains_until:
            return now > self.drains_until
        if self.requests or now < self.held_until:
            return False
        if self.request is not None:
            return now > self.began + RECEIVING
        return now > max(self.answered, self.held_until) + (SENDING if self.total_outbufs_len else IDLE)

    def readable(self) -> bool:
        if self._late():  # closed here: a socket whose client takes nothing never becomes writable
            self.refused = self.will_close = self.close_when_flushed = False
            self.handle_close()
            return False
        free = (self.drains_until > 0 and not self.will_close) or bool(super().readable())
        if not (free and self.ahead):
            return free
        data, self.ahead = self.ahead, b""
        try:
            self.received(data)
        except Exception:
            self.handle_error()  # as after a read: this connection alone is closed
        return False

    def writable(self) -> bool:
        if self.drains_until or not self.connected:
            return self.connected and self.will_close
        return not self._held and bool(super().writable())

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.began = time.monotonic()
        return bool(super().received(data))

    def service(self) -> None:
        request = self.requests[0]
        assert isinstance(request, RequestParser)
        self.refused, self.ahead = request.error is not None, request.rest
        super().service()
        self.answered = time.monotonic()

    def send(self, data: bytes, do_close: bool = True) -> int:
        return 0 if self._held else int(super().send(data, do_close))

    def handle_read(self) -> None:
        if not self.drains_until:
            super().handle_read()
            return
        with suppress(OSError):
            self.drained += len(self.recv(65_536))
        if self.drained > MOST_DRAINED:
            self.will_close = True

    def handle_close(self) -> None:
        if not self.refused or self.socket is None:
            super().handle_close()
            return
        self.refused = self.will_close = False
        self.drains_until = time.monotonic() + DRAINING
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)


class _Server(TcpWSGIServer):
    channel_class = Connection


class Server:
    """Serves a WSGI application on a listening socket, which it closes at the end."""

    def __init__(self, app: WSGIApplication, listening: socket.socket) -> None:
        logging.getLogger("waitress").setLevel(logging.ERROR)  # a queue of requests is nothing to tell a user
        limits = Adjustments(
            threads=THREADS, connection_limit=CONNECTIONS, channel_timeout=int(SENDING), ident="tal-search",
            max_request_body_size=MOST_BODY + 1, max_request_header_size=MOST_HEADERS, outbuf_overflow=MOST_KEPT,
            outbuf_high_watermark=NO_LIMIT, log_socket_errors=False,
        )  # fmt: skip
        self._sockets: dict[int, socket.socket] = {}  # by descriptor, as Waitress's types have it
        address = (listening.family, listening.type, listening.proto, listening.getsockname())
        self._server = _Server(app, self._sockets, True, listening, adj=limits, sockinfo=address, bind_socket=False)
        self._stopping = threading.Event()
        self.server_address = listening.getsockname()

    def serve_forever(self) -> None:
        """Serve until `shutdown`."""
        while not self._stopping.is_set():
            wasyncore.loop(TICK, use_poll=True, map=self._sockets, count=1)

    def shutdown(self) -> None:
        """End `serve_forever`, from another thread."""
        self._stopping.set()
        self._server.pull_trigger()

    def server_close(self) -> None:
        """Close all connections, those of requests in progress included."""
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)
