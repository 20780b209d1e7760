"""Addresses above the studies' own, and the links to them that stand on every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from dash import html

from tal_dashboards.app.components import labelled

HOME = "/~/"  # the list of studies, and the files of these pages; no study's name has a tilde
COMPARE = "/compare"  # without a slash at its end, with which it is the page of a study of that name


def study_address(study: str) -> str:
    """Where the page of a study is served."""
    return f"/{quote(study, safe='')}/"


def compare_query(studies: Sequence[str]) -> str:
    """The query of the page that compares these studies."""
    return "?" + urlencode({"studies": ",".join(studies)}, safe=",") if studies else ""


def site_links(study: str | None = None) -> Any:
    """To the list of studies, and to the comparison of this study with others."""
    compare = COMPARE + compare_query([] if study is None else [study])
    words = "Compare studies" if study is None else "Compare with other studies"
    links = [html.A("All studies", href=HOME), html.A(words, href=compare)]
    return html.Nav(links, className="site", **labelled("All studies"))
