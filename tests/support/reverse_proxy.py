"""A reverse proxy as nginx is one: it listens with TLS under a prefix, and passes requests on to another server."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.waiting import DEADLINE

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}


class ReverseProxy(ThreadingHTTPServer):
    """upstream: the port of the server behind it, once that is known. keeps: whether the prefix is passed on.

    host: passed on as the Host header; "" for the client's, as with nginx's `proxy_set_header Host $http_host`.
    """

    daemon_threads = True
    upstream = 0

    def __init__(self, certificate: Path, prefix: str, *, keeps: bool, host: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.prefix, self.keeps, self.host = prefix, keeps, host
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.context = context
        self.origin = f"https://localhost:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # browsers close connections whenever they like


class _Handler(BaseHTTPRequestHandler):
    server: ReverseProxy
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)  # in the connection's thread
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def do_GET(self) -> None:
        proxy = self.server
        if not self.path.startswith(f"{proxy.prefix}/"):
            self.send_error(404, "not below the prefix")
            return
        path = self.path if proxy.keeps else self.path.removeprefix(proxy.prefix)
        headers = {name: text for name, text in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= {"Host": proxy.host} if proxy.host else {}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with closing(http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=DEADLINE)) as behind:
            behind.request(self.command, path, body or None, headers)
            answer = behind.getresponse()
            content = answer.read()
        self.send_response_only(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_POST = do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def certificate(folder: Path) -> Path:
    """A file with a key and its own certificate for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(text + signed.public_bytes(pem))
    return file


@contextmanager
def proxying(folder: Path, prefix: str, *, keeps: bool, host: str = "") -> Iterator[ReverseProxy]:
    """A running proxy; set its `upstream` before the first request."""
    proxy = ReverseProxy(certificate(folder), prefix, keeps=keeps, host=host)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
