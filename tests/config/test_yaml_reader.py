"""The reader of study files: scalars of YAML 1.2, dotted names, and the place of each value."""

from __future__ import annotations

import math

import pytest

from tal_search.config.yaml_reader import dotted, nest, plain_scalar, read_yaml, shown
from tal_search.types import Plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("Null", None), ("TRUE", True), ("yes", "yes"), ("0x10", "0x10"), ("1e-4", 1e-4),
        ("1_000", 1000), ("-3", -3), (".5", 0.5), ("5.", 5.0), ("-.inf", -math.inf), ("1/4", "1/4"),
        ("9" * 50, float("9" * 50)), ("٣", "٣"),
    ],
)  # fmt: skip
def test_a_scalar_is_read_as_in_yaml_1_2(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_each_value_has_its_line_and_a_dotted_name_is_a_section() -> None:
    written = read_yaml("search.plan: grid\nsearch:\n  axes: {inference.nms: [0.4, 0.5]}\n", "x.yaml")
    assert written.content() == {"search": {"plan": "grid", "axes": {"inference": {"nms": [0.4, 0.5]}}}}
    assert written.place(("search", "plan")) == "x.yaml:1"
    assert written.place(("search", "axes", "inference", "nms", "1")) == "x.yaml:3"
    assert written.place(("budget", "trials")) == "x.yaml"
    assert not written.problems


def test_problems_are_collected_and_the_rest_is_kept() -> None:
    written = read_yaml("method: !!int 3\npreset: ${nowhere}\nruns: here\n", "x.yaml")
    assert written.content() == {"runs": "here"}
    first, second = written.problems
    assert first == "x.yaml:1: method has the tag tag:yaml.org,2002:int, which is not read; use plain values"
    assert second.startswith("x.yaml:2: preset cannot be filled in (")


def test_nested_mappings_merge_and_values_do_not() -> None:
    tree: dict[str, Plain] = {"a": {"b": 1}}
    assert nest(tree, ("a",), {"c": 2})
    assert nest(tree, ("d", "e"), 3)
    assert not nest(tree, ("a", "b", "x"), 4)
    assert not nest(tree, ("a",), 5)
    assert tree == {"a": {"b": 1, "c": 2}, "d": {"e": 3}}


def test_keys_and_values_are_shown_as_an_author_writes_them() -> None:
    assert dotted(("search", "axes", "kernel_size", "1")) == "search.axes.kernel_size[1]"
    assert shown({"name": "é", "seeds": [0, None]}) == '{"name": "é", "seeds": [0, null]}'
    assert shown("x" * 100) == '"' + "x" * 56 + "..."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!!python/object/apply:os.system [echo]", "which is not read; use plain values"),
        ("a: !!python/name:os.system", "which is not read; use plain values"),
        ("a: &x [1]\nb: *x", "an alias *NAME is not read, repeat the value"),
        ("a: &x {b: 1}\n<<: *x", "an alias *NAME is not read, repeat the value"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "[" * 20 + "]" * 20, "nested too deeply"),
        ("a: " + "{b: " * 20 + "}" * 20, "nested too deeply"),
        ("-\n" * 3 + " - - - - - - - - - - - - - - - - - - - - x", "nested too deeply"),
        ("x" * 100_001, "has 100001 characters; at most 100000 are read, shorten it"),
        ("a: \x00", "cannot be read as YAML"),
        ("%YAML 9.9\n---\na: 1", "cannot be read as YAML"),
        ("a: 1\n---\nb: 2", "cannot be read as YAML"),
        ("? [a, b]\n: 1", "has a key that is not a word"),
        ("a: @x", "cannot be read as YAML"),
    ],
)
def test_what_is_no_plain_study_gets_one_sentence(text: str, words: str) -> None:
    written = read_yaml(text, "x.yaml")
    written.content()
    problems = list(written.problems)
    assert words in problems[0]
    assert all(problem.startswith("x.yaml") and len(problem) < 300 for problem in problems)
    assert len(problems) <= 2
