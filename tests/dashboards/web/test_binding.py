"""The address that is bound decides, not how it is written."""

from __future__ import annotations

import socket

import pytest

from tal_dashboards.web.binding import bound_socket, check_binding, host_names, is_loopback
from tal_search.errors import InputError

TOKEN = "a token of some length"
LOOPBACK = ["127.0.0.1", "127.1", "127.0.0.2", "0177.0.0.1", "0x7f000001", "2130706433", "localhost", "::1",
            "::ffff:127.0.0.1"]  # fmt: skip
EVERY = ["0.0.0.0", "0", "0x0", "000.000.000.000", "::", "::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "", "*"]


def ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("host", LOOPBACK)
def test_every_spelling_of_this_machine_needs_no_token(host: str) -> None:
    if host == "::1" and not ipv6():
        pytest.skip("needs IPv6")
    with bound_socket(host, 0, None) as listening:
        assert is_loopback(listening.getsockname()[0])


@pytest.mark.parametrize("host", EVERY)
def test_no_spelling_of_all_addresses_is_bound(host: str) -> None:
    if host.strip("0:") == "" and ":" in host and not ipv6():
        pytest.skip("needs IPv6")
    with pytest.raises(InputError, match="every address of this machine"):
        bound_socket(host, 0, TOKEN)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_is_judged_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "0.0.0.0")
    with pytest.raises(InputError, match="host=localhost is every address"):
        bound_socket("localhost", 0, TOKEN)
    resolving(monkeypatch, "127.0.0.1")
    bound_socket("my.machine", 0, None).close()


def test_an_address_of_the_network_needs_a_long_token() -> None:
    for address in ("192.0.2.1", "fe80::1%eth0", "::ffff:192.0.2.1", "8.8.8.8"):
        with pytest.raises(InputError, match=r"host=my.machine is open to other machines"):
            check_binding(address, None, "my.machine")
        with pytest.raises(InputError, match="at least 16"):
            check_binding(address, "short")
        check_binding(address, TOKEN)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300, "a\0b", "1.2.3.4.5", "[::1]", "http://localhost"])
def test_a_name_that_is_no_address_is_one_sentence(host: str) -> None:
    with pytest.raises(InputError, match="is no address of this machine"):
        bound_socket(host, 0, TOKEN)


def test_an_address_of_another_machine_and_a_port_in_use_cannot_be_bound() -> None:
    with pytest.raises(InputError, match=r"host=192.0.2.1 cannot be bound: it is no address of this machine"):
        bound_socket("192.0.2.1", 0, TOKEN)
    with bound_socket("127.0.0.1", 0, None) as taken, pytest.raises(InputError, match="cannot be bound"):
        bound_socket("localhost", taken.getsockname()[1], None)


def test_a_server_is_called_by_its_address_and_by_its_name() -> None:
    assert host_names("127.0.0.1", "127.1") == {"127.1", "127.0.0.1", "localhost", "[::1]"}
    assert host_names("192.0.2.1", "My.Machine") == {"192.0.2.1", "my.machine"}
    assert host_names("fd00::1", "fd00:0::1") == {"[fd00::1]", "[fd00:0::1]"}
