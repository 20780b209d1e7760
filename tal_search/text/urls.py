"""URLs in settings, data and messages: without their passwords, and checked before they become links."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
ALONE = re.compile(rf"([+~]*[^\s='\"]+=)?({SCHEME})(.*)", re.DOTALL)  # a URL, or an override whose value is one
QUOTED = rf"(?<=['\"])({SCHEME})([^\n]*?)(?=['\"](?:[\s,;:.)\]}}]|$))"
IN_TEXT = re.compile(rf"{QUOTED}|({SCHEME})([^\s'\"<>]*)")
IN_BRACKETS = re.compile(rf"{QUOTED}|({SCHEME})([^\s'\"<>,\[\]{{}}]*)")  # unquoted text of a YAML list or mapping
STRUCTURE = re.compile(r"[+~]*[^\s=]+=\s*[\[{]")
HOST_AND_PORT = re.compile(r"[^:/?#]*:\d*[/?#].*", re.DOTALL)
SECRET = re.compile(r"pass|pwd|secret|credential|signature|api_?key|._token|^sig$", re.IGNORECASE)
TOKEN = re.compile(r"token=[^(]", re.IGNORECASE)  # but not "token=(the token)", which a command prints
SECRET_INSIDE = re.compile(r"(pass|pwd|secret)\w*\s*=", re.IGNORECASE)  # a connection string as an option
LINK = re.compile(r"https?://[^\s\"'<>\\`{}|^]+", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """The text with the password of every URL in it removed, from the address and from its options.

    A text that begins with a URL, or with KEY= and a URL, is one URL up to its end, whatever characters the password
    has. Elsewhere a URL ends at its quote, or at a space. Commands take the password from the environment instead
    (PGPASSWORD, MLFLOW_TRACKING_PASSWORD).
    """
    return _replaced(text, "")


def masked(text: str) -> str:
    """The same for a message: the password of an address is shown as ***, so that a reader knows that it has one."""
    return _replaced(text, ":***")


def _replaced(text: str, mask: str) -> str:
    if "://" not in text:
        return text
    alone = ALONE.fullmatch(text)
    if alone:
        return f"{alone[1] or ''}{alone[2]}{_bare(alone[2], alone[3], mask)}"

    def bare(found: re.Match[str]) -> str:
        scheme, rest = found[1] or found[3], found[2] if found[1] else found[4]
        return scheme + _bare(scheme, rest, mask)

    return (IN_BRACKETS if STRUCTURE.match(text) else IN_TEXT).sub(bare, text)


def _bare(scheme: str, rest: str, mask: str) -> str:
    """What follows the scheme, with `mask` for the password, and without secret options."""
    found = _credentials(scheme, rest)
    if found:
        user, password = found
        rest = (f"{user}{mask}@" if user or mask else "") + rest[len(user) + len(password) + 2 :]
    return _without_secrets(rest)


def _credentials(scheme: str, rest: str) -> tuple[str, str] | None:
    """User and password of what follows the scheme; None if it has no password.

    Up to the last @, as a password may hold the signs that end an address: SQLAlchemy accepts most of them unescaped.
    """
    first = rest.find("@")
    options = re.compile(r"\?[\w.%-]+=").search(rest, first) if first >= 0 else None
    before = rest[: max(0, rest.rfind("@", 0, options.start() if options else len(rest)))]
    user, colon, password = before.partition(":")
    in_path = scheme.lower().startswith("http") and HOST_AND_PORT.fullmatch(before)
    return (user, password) if colon and not in_path and not re.search(r"[/?#]", user) else None


def is_misread(url: str) -> bool:
    """Whether part of the URL's password would be read as its host or path, and shown in messages as such."""
    scheme, _, rest = url.partition("://")
    found = _credentials(scheme, rest)
    if found is None:
        return False
    return "@" not in re.split(r"[/?#]", rest)[0] if scheme.lower().startswith("http") else "@" in found[1]


def _without_secrets(rest: str) -> str:
    address, mark, query = rest.partition("?")
    options = query.split("&")
    kept = [option for option in options if not _is_secret(option)]
    return rest if len(kept) == len(options) else address + (mark + "&".join(kept) if kept else "")


def _is_secret(option: str) -> bool:
    name, _, value = option.partition("=")
    return bool(SECRET.search(unquote(name)) or TOKEN.match(option) or SECRET_INSIDE.search(unquote(value)))


def password_variables(argument: str) -> dict[str, str]:
    """Environment variables that can hold the password of `record=URL` or `tracking.uri=URL` instead; empty if none."""
    alone = ALONE.fullmatch(argument)
    if alone is None or is_misread(alone[2] + alone[3]):
        return {}
    user, password = map(unquote, _credentials(alone[2], alone[3]) or ("", ""))
    match (alone[1] or "").strip("+="), alone[2].partition("+")[0].rstrip("s:/"):
        case "record", "postgresql" if password:
            return {"PGPASSWORD": password}
        case "tracking.uri", "http" if password:
            return {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
    return {}


def web_link(url: object) -> str:
    """The URL for a link, without user and password; empty unless it is the address of a web page (http or https)."""
    text = str(url)
    if not LINK.fullmatch(text) or not text.isprintable():
        return ""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port or an IPv6 address that is none
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if usable else ""
