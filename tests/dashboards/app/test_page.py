"""Applications whose every answer carries their policy."""

from __future__ import annotations

import pytest
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


def test_an_exception_is_one_line_of_the_log_and_no_line_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    app = new_page("Title", "/study/")
    app.layout = html.Div("content")
    sealed(app)

    @app.server.route("/fails")
    def fails() -> str:
        raise TypeError("a secret\x1b[31m\nof two lines")

    answer = app.server.test_client().get("/fails?token=abc")
    assert answer.status_code == 500
    assert answer.text == "The server cannot answer this request."
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    (record,) = caplog.records
    assert "GET /fails: TypeError: a secret\\x1b[31m\\nof two lines (" in record.getMessage()
    assert "abc" not in record.getMessage(), "a token"
    assert record.exc_info is None


def test_a_script_that_there_is_not_is_one_short_answer(caplog: pytest.LogCaptureFixture) -> None:
    app = new_page("Title", "/study/")
    app.layout = html.Div("content")
    sealed(app)
    for path in ("plotly/none.js", "none/x.js", "dash/../x"):
        answer = app.server.test_client().get(f"/_dash-component-suites/{path}")
        assert (answer.status_code, "plotly.min.js" in answer.text, caplog.records) == (404, False, [])


def test_a_path_is_never_repeated_in_a_redirect() -> None:
    app = new_page("Title", "/study/")
    app.layout = html.Div("content")
    sealed(app)
    for path in ("//evil.example/", "/a//b", "/assets", "/_dash-layout/", "/%5c%5cevil.example/%2f.."):
        assert "Location" not in app.server.test_client().get(path).headers
