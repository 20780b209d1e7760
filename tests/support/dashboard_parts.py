"""Helpers for tests of the dashboards without a browser: cards, text of components, requests, changed records."""

from __future__ import annotations

import http.client
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tal_dashboards.home.cards import Cards
from tests.support.waiting import DEADLINE


def cards_of(runs: Path) -> Cards:
    """The cards of the studies, none of whose pages is open."""
    return Cards(runs, lambda study: None)


def words(part: object) -> str:
    """The text of a component or a list of them."""
    if isinstance(part, list | tuple):
        return "".join(map(words, part))
    return part if isinstance(part, str) else words(getattr(part, "children", None) or [])


def change(record: Path, statement: str, *values: object) -> None:
    """Execute an SQL statement on a record."""
    with closing(sqlite3.connect(record)) as database, database:
        database.execute(statement, values)


def ask(
    address: str, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers (names in lower case) and text of one request; headers by name, "_" for "-"."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=DEADLINE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def pdf_pages(content: bytes) -> int:
    """The number of pages of a PDF."""
    return len(re.findall(rb"/Type\s*/Page\b", content))
