"""The address of the Ray cluster to join, and where it comes from; does not import Ray."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple, Self

from tal_search.errors import InputError
from tal_search.execution.ray_tune.watchdog import answers

VARIABLE = "RAY_ADDRESS"  # Ray's own
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # a frame of type 4, SETTINGS, which each side sends first
ANSWER_SECONDS = 10.0  # a busy head answers late
OWN = ("", "local")  # a Ray of the study's own


class RayAddress(NamedTuple):
    """address: "auto" or HOST:PORT; None = a Ray of the study's own. source: the setting that it comes from."""

    address: str | None
    source: str

    @classmethod
    def of(cls, setting: str | None) -> Self:
        """setting: the study's `ray.address`; without one, the environment variable RAY_ADDRESS counts."""
        source, address = ("ray.address", setting) if setting else (VARIABLE, os.environ.get(VARIABLE, ""))
        return cls(None if address.strip() in OWN else address.strip(), source)

    def refusal(self, reason: str) -> InputError:
        """The error for an address that cannot be used."""
        if self.source == VARIABLE:
            return InputError(
                f"the environment variable {VARIABLE} is {self.address}, but {reason}; "
                f"unset {VARIABLE} to use this machine, or give the address of a running cluster"
            )
        return InputError(
            f"ray.address is {self.address}, but {reason}; drop ray.address to use this machine, or start that cluster"
        )

    def require_answer(self) -> None:
        """Raise InputError where no server can be there, before Ray is imported and anything is written."""
        if self.address is None or self.address == "auto":
            return
        if "://" in self.address:
            raise self.refusal("trials are not driven through Ray's client; give HOST:PORT of the cluster itself")
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise self.refusal('it is neither HOST:PORT nor "auto"')
        if not answers(self.address):
            raise self.refusal("nothing answers there")
        if "RAY_USE_TLS" not in os.environ and not _speaks_grpc(host, int(port)):
            raise self.refusal("what answers there is no Ray")


def _speaks_grpc(host: str, port: int) -> bool:
    """Whether a server begins HTTP/2 as Ray's does (RFC 9113, 3.4); Ray itself would wait minutes for another's."""
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(PREFACE + NO_SETTINGS)
            connection.settimeout(ANSWER_SECONDS)
            return connection.recv(len(NO_SETTINGS))[3:4] == NO_SETTINGS[3:4]
    except OSError:
        return False
