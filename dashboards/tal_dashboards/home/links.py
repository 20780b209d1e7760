"""Addresses of the pages about several studies, and the navigation links on every page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from dash import html

from tal_dashboards.app.components import labelled

HOME = "/~/"  # the list of studies and the assets of these pages; no study's name contains a tilde
COMPARE = "/compare"  # no slash at the end: "/compare/" would be the page of a study with that name


def study_address(study: str) -> str:
    """Path of a study's page."""
    return f"/{quote(study, safe='')}/"


def compare_query(studies: Sequence[str]) -> str:
    """Query of the page that compares these studies."""
    return "?" + urlencode({"studies": ",".join(studies)}, safe=",") if studies else ""


def site_links(study: str | None = None) -> html.Nav:
    """Links to the list of studies, and to the comparison of this study with others."""
    compare = COMPARE + compare_query([] if study is None else [study])
    words = "Compare studies" if study is None else "Compare with other studies"
    links = [html.A("All studies", href=HOME), html.A(words, href=compare)]
    return html.Nav(links, className="site", **labelled("All studies"))
