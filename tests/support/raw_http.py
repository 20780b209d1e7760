"""Bytes sent to a server as they are, and the answer as it came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from wsgiref.types import WSGIApplication

from tal_dashboards.web.binding import bound_socket
from tal_dashboards.web.connections import Server
from tests.support.waiting import DEADLINE


class Answer(NamedTuple):
    """status: 0 if the connection was closed without an answer. headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def answer(connection: socket.socket) -> Answer:
    """All that the server sends until it closes the connection, read as one answer."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Answer(int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body)


def raw(port: int, sent: bytes) -> Answer:
    with connected(port) as connection:
        connection.sendall(sent)
        return answer(connection)


@contextmanager
def listening(app: WSGIApplication) -> Iterator[int]:
    """The port of a server of this application."""
    server = Server(app, bound_socket("127.0.0.1", 0, None))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
