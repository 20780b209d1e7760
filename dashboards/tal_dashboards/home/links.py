"""Addresses of the pages about several studies, and the navigation links on every page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import flask
from dash import html

from tal_dashboards.app.components import labelled

HOME = "/~/"  # the list of studies and the assets of these pages; no study's name contains a tilde
COMPARE = "/compare"  # no slash at the end: "/compare/" would be the page of a study with that name
BASE = "tal_dashboards.base"  # in the environ of a request: the prefix below which a proxy shows the pages, or ""


def based(path: str) -> str:
    """A path below the prefix of the current request; as it is outside of a request."""
    return f"{flask.request.environ.get(BASE, '')}{path}" if flask.has_request_context() else path


def study_address(study: str) -> str:
    """Path of a study's page."""
    return based(f"/{quote(study, safe='')}/")


def compare_query(studies: Sequence[str]) -> str:
    """Query of the page that compares these studies."""
    return "?" + urlencode({"studies": ",".join(studies)}, safe=",") if studies else ""


def site_links(study: str | None = None) -> html.Nav:
    """Links to the list of studies, and to the comparison of this study with others."""
    compare = based(COMPARE) + compare_query([] if study is None else [study])
    words = "Compare studies" if study is None else "Compare with other studies"
    links = [html.A("All studies", href=based(HOME)), html.A(words, href=compare)]
    return html.Nav(links, className="site", **labelled("All studies"))
