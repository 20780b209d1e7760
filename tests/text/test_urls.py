"""No password of a URL reaches a message or a file, whatever characters it has; a link is the address of a web page."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from tal_search.text.urls import is_misread, masked, password_variables, web_link, without_passwords


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg://me:swordfish@host:5432/db", "postgresql+psycopg://me@host:5432/db"),
        ("postgresql://:swordfish@host/db", "postgresql://host/db"),
        ("postgresql://me:p@s:s/w#r%d[1]@host/db", "postgresql://me@host/db"),
        ("http://me:p@s:s/w#r%d[1]@host:5000/mlflow", "http://me@host:5000/mlflow"),
        ("postgresql://me:two words@host/db", "postgresql://me@host/db"),
        ("postgresql://me:a?b@host/db?application_name=x@y", "postgresql://me@host/db?application_name=x@y"),
        ("postgresql://me:123/456@host/db", "postgresql://me@host/db"),
        ("postgresql://me@host/db?password=p@ss&sslmode=require", "postgresql://me@host/db?sslmode=require"),
        ("postgresql://host/db?passfile=x&a=b&sslpassword=y", "postgresql://host/db?a=b"),
        ("postgresql://host/db?p%61ssword=x", "postgresql://host/db"),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dx", "mssql+pyodbc:///"),
        ("+record=postgresql://me:x@host/db", "+record=postgresql://me@host/db"),
        ("tracking.uri=http://me:x@host/mlflow", "tracking.uri=http://me@host/mlflow"),
        ("tracking={uri: http://me:x@[::1]:5, artifacts: 's3://b/c'}", "tracking={uri: http://me@[::1]:5, artifacts: 's3://b/c'}"),
        ('a=["http://me:x,y z@h/", "me@home"]', 'a=["http://me@h/", "me@home"]'),
        ("it failed (psycopg://me:x@h/db), write to us@home", "it failed (psycopg://me@h/db), write to us@home"),
        ("API request to http://me:x@h:1/api failed: 'x://a:b@c'", "API request to http://me@h:1/api failed: 'x://a@c'"),
    ],
)  # fmt: skip
def test_passwords_are_removed_and_nothing_else(text: str, expected: str) -> None:
    assert without_passwords(text) == expected
    assert without_passwords(expected) == expected
    shown = masked(text)
    assert masked(shown) == shown
    assert without_passwords(shown) == expected


@pytest.mark.parametrize(
    "text",
    [
        "no address", "me@home", "http://127.0.0.1:5000", "http://host:5000/#/runs?x=a@b", "http://host/a:b@c",
        "http://me@host:5000/models/x@y", "s3://bucket/key@v1", "sqlite:///C:/a@b.db", "file:///tmp/a:b@c",
        "postgresql://me@host:5432/db?application_name=a@b", "description=see http://x: and me@home",
        "annotators=[a@b, 'c:d@e', http://x/y, f@g]", "http://127.0.0.1:8050/?token=(the token)",
        "/data/a://b", "postgresql://host/db?application_name=passport",
    ],
)  # fmt: skip
def test_text_without_a_password_stays(text: str) -> None:
    assert without_passwords(text) == masked(text) == text


def test_a_message_shows_that_an_address_has_a_password() -> None:
    assert masked("no host at http://me:x@h/y?password=x") == "no host at http://me:***@h/y"
    assert masked("record=postgresql://:x@h") == "record=postgresql://:***@h"


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1).filter(
        lambda text: "@" not in text
    )
)
def test_a_url_that_sqlalchemy_reads_loses_its_password(password: str) -> None:
    url = sqlalchemy.make_url(without_passwords(f"postgresql://me:{password}@host:5432/db"))
    assert (url.username, url.password, url.host, url.database) == ("me", None, "host", "db")
    url = sqlalchemy.make_url(without_passwords(f"postgresql://me:{quote(password, safe='')}@host:5432/db"))
    assert (url.username, url.password, url.host, url.port) == ("me", None, "host", 5432)


def test_a_password_is_misread_where_its_signs_end_it() -> None:
    assert is_misread("postgresql://me:a@b@host/db")
    assert is_misread("http://me:a/b@host")
    assert not is_misread("postgresql://me:a:b/c%40@host/db")
    assert not is_misread("http://me:a%2Fb@host:5000/x@y?z=/")
    assert not is_misread("runs/record.db")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("record=postgresql+psycopg://me:p%40s@h/db", {"PGPASSWORD": "p@s"}),
        ("+record=postgresql://:x@h", {"PGPASSWORD": "x"}),
        ("tracking.uri=https://me:x@h", {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "x"}),
        ("record=postgresql://me@h/db", {}), ("record=postgresql://me:a@b@h", {}), ("record=mysql://me:x@h/db", {}),
        ("tracking.uri=postgresql://me:x@h/db", {}), ("runs=postgresql://me:x@h", {}), ("runs", {}), ("", {}),
    ],
)  # fmt: skip
def test_the_environment_can_hold_the_password_of_a_record_or_a_server(argument: str, expected: dict[str, str]) -> None:
    assert password_variables(argument) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:5000/#/runs/1", "http://127.0.0.1:5000/#/runs/1"), ("https://me:x@host/a?b", "https://host/a?b"),
        ("HTTPS://host/é", "https://host/é"), ("http://[::1]:80/", "http://[::1]:80/"), ("javascript:alert(1)", ""),
        ("JaVaScript://host/%0aalert(1)", ""), ("data:text/html,x", ""), ("java\nscript:x", ""), ("http:///path", ""),
        ("http://host/\x1b]8;;x", ""), (None, ""), ("http://host/a b", ""), ('http://host/"onclick=', ""),
        (" http://host", ""),
        ("http://host:port/", ""), ("//host/path", ""), ("http:\\\\host", ""), ("http://host/\u202egnp", ""),
    ],
)  # fmt: skip
def test_a_link_is_the_address_of_a_web_page(url: object, expected: str) -> None:
    assert web_link(url) == expected


def test_a_token_in_a_query_is_a_password() -> None:
    assert without_passwords("http://127.0.0.1:9/x?token=abc&y=1") == "http://127.0.0.1:9/x?y=1"
