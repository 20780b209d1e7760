"""Dataclass fields with rules: the first rule that a value breaks, in words."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from tal_search.fields import broken_rule, hyper


@dataclass
class Settings:
    share: float | None = hyper(0.5, "s", above=0, high=1)
    decay: float = hyper(0.9, "d", low=0, below=1)
    taps: int = hyper(3, "h", low=1, odd=True)
    kind: str = hyper("a", "k", choices=("a", "b"))
    plain: int = 0


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("share", 0.5, None), ("share", None, None), ("share", 0, "greater than 0"), ("share", 1.5, "at most 1"),
        ("share", float("nan"), "a finite number"), ("decay", 0, None), ("decay", -1, "at least 0"),
        ("decay", 1, "less than 1"), ("decay", 1 - 1e-12, None), ("taps", 0, "at least 1"), ("taps", 4, "odd"),
        ("taps", 5, None), ("kind", "b", None), ("kind", "c", "one of a, b"), ("plain", -1, None),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(name: str, value: object, rule: str | None) -> None:
    (spec,) = (spec for spec in fields(Settings) if spec.name == name)
    assert broken_rule(spec, value) == rule


def test_a_field_with_a_rule_keeps_its_default() -> None:
    assert Settings() == Settings(share=0.5, decay=0.9, taps=3, kind="a", plain=0)
