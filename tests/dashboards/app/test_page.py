"""Applications whose every answer carries their policy."""

from __future__ import annotations

from dash import html

from tal_dashboards.app.page import new_page, sealed


def test_every_answer_of_a_sealed_page_has_the_policy() -> None:
    app = new_page("Title", "/study/")
    app.layout = html.Div("content")
    sealed(app)
    answer = app.server.test_client().get("/")
    assert '<html lang="en">' in answer.text
    assert '<script async src="/study/_dash-component-suites/plotly/' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert all(hashed in policy for hashed in app.csp_hashes())
