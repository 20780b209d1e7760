"""Bodies that no page sends."""

from __future__ import annotations

import pytest

from tal_dashboards.web.json_body import MOST_DEPTH, checked


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"5", b"[]", b'"x"', b"null", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}',
     b'{"a": -1e999}', b'{"a": ' + b"9" * 1_000_000 + b"}", b'{"a": 12345678901234567}', b'{"a":' * 900_00,
     b"[" * 500_000, b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a": 1} x'],
    ids=lambda body: body[:20],
)  # fmt: skip
def test_numbers_and_depth_are_bounded(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|A number is out of bounds") as raised:
        checked(body)
    assert len(str(raised.value)) < 60


def test_what_pages_send_passes() -> None:
    checked(b'{"output": "a.b", "inputs": [{"value": [1.5, -3, 1764529758123, true, null, "x"]}], "n": -1e-300}')
    checked(b'{"a": ' + b"[" * (MOST_DEPTH - 2) + b"]" * (MOST_DEPTH - 2) + b"}")
