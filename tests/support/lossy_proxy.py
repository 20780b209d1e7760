"""A proxy before a server on loopback that loses an answer, as a network does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65536


class LossyProxy:
    """lost: answers lost so far; port: where it listens."""

    def __init__(self, port: int) -> None:
        self._target, self._request, self.lost = port, b"", 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answer(self, request: bytes) -> None:
        """Pass the next data with these bytes on to the server, and end their connection once it has answered."""
        self._request = request

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            _end(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                loses = threading.Event()
                threading.Thread(target=self._ask, args=(client, server, loses), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, loses), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, loses: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(CHUNK):
                if self._request and self._request in data:
                    self._request = b""
                    loses.set()
                server.sendall(data)
        _end(server)

    def _answer(self, server: socket.socket, client: socket.socket, loses: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                if loses.is_set():
                    self.lost += 1
                    break
                client.sendall(data)
        _end(client)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def lossy_proxy(port: int) -> Iterator[LossyProxy]:
    proxy = LossyProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
