"""The listening socket: the address that is bound is checked, however it was written."""

from __future__ import annotations

import errno
import ipaddress
import socket

from tal_search.errors import InputError

SHORTEST_TOKEN = 16
WAITING = 128  # connections that the system keeps until they are accepted
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def numeric(address: str) -> Address | None:
    """An IP address, IPv4 also where it is written within IPv6 ("::ffff:127.0.0.1"); None for a name."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_loopback(host: str) -> bool:
    """Whether an address, or the name localhost, can only be reached from this machine."""
    found = numeric(host)
    return host == "localhost" if found is None else found.is_loopback


def check_binding(address: str, token: str | None, host: str | None = None) -> None:
    """Raise InputError for an unsafe address: all addresses, or one beyond loopback with no token or a short one.

    host: how the user wrote the address, for the message.
    """
    found = numeric(address)
    written = f"host={address if host is None else host}"
    if address in ("", "*") or (found is not None and found.is_unspecified):
        raise InputError(f"command line: {written} is every address of this machine; give the one that others will use")
    if found is not None and found.is_loopback:
        return
    if token is None:
        raise InputError(
            f"command line: {written} is open to other machines and therefore needs a token; set "
            "TAL_SEARCH_TOKEN, or give token_file=FILE"
        )
    if len(token) < SHORTEST_TOKEN:
        raise InputError(f"the token has {len(token)} characters; give at least {SHORTEST_TOKEN}")


def bound_socket(host: str, port: int, token: str | None) -> socket.socket:
    """A listening socket whose address was checked once it was bound; port 0 means any free port.

    Of several addresses of a name, the first is bound, IPv4 before IPv6. Raises InputError: unknown name, unsafe
    address, port in use.
    """
    if host in ("", "*"):
        check_binding(host, token)
    family, address = _resolved(host, port)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        check_binding(str(listening.getsockname()[0]), token, host)
        listening.listen(WAITING)
    except OSError as error:
        listening.close()
        raise InputError(f"command line: {_unbound(error, host, port)}") from None
    except InputError:
        listening.close()
        raise
    return listening


def _unbound(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"host={host} cannot be bound: it is no address of this machine; give one that it has"
    if error.errno == errno.EACCES:
        return f"port={port} cannot be bound: this user may not open it; give a port= above 1023"
    if error.errno == errno.EADDRINUSE:
        return f"port={port} of {host} cannot be bound: a program listens there; stop it, or give another port="
    return f"host={host} port={port} cannot be bound ({error.strerror}); give another host= or port="


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    """Family and socket address to bind."""
    found = numeric(host)
    asked = host if found is None or found.version == 6 else str(found)
    try:
        known = socket.getaddrinfo(asked, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"command line: host={host} is no address of this machine ({reason}); give an IP address or a known name"
        ) from None
    family, _, _, _, address = min(known, key=lambda one: one[0] != socket.AF_INET)
    return family, address


def host_names(address: str, host: str) -> set[str]:
    """Names of a server in URLs: the address that is bound, the host as the user wrote it, and those of loopback."""
    found = numeric(address)
    names = {str(found), host.lower()} if found is not None else {host.lower()}
    names |= {"127.0.0.1", "localhost", "::1"} if is_loopback(address) else set()
    return {f"[{name}]" if ":" in name else name for name in names}
