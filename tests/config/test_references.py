"""References of a study: those to its own keys are filled in; resolvers, and what grows without end, are refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from omegaconf import OmegaConf

from tal_search.config.references import MOST_FILLED_IN, refused, too_large
from tal_search.config.yaml_reader import read_yaml
from tal_search.errors import InputError
from tal_search.study import load_study

OUTSIDE = "and ${NAME:...} is not filled in, as it reads from outside the study; write the value out"


@pytest.fixture
def ours() -> Iterator[None]:
    """A resolver named "ours", as another program may register it."""
    OmegaConf.register_resolver("ours", lambda _: "hunter2")
    yield
    OmegaConf.clear_resolver("ours")


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:SECRET}", "${oc.env:SECRET,1}", "a ${oc.env:SECRET} b", "${oc.decode:${oc.env:SECRET}}",
        "${oc.create:{a: 1}}", "${oc.deprecated:runs}", "${oc.select:runs}", "${oc.dict.keys:dataset}", "${ours:1}",
        "${${runs}:1}", "${oc.env:${runs}}", "\\${oc.env:SECRET}", "${runs}${oc.env:SECRET}", "${ oc.env : SECRET }",
        "${oc.${runs}:SECRET}", "${\noc.env:SECRET}",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("ours")
def test_a_resolver_is_refused_wherever_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    quoted = '"' + text.replace("\\", "\\\\").replace("\n", "\\n") + '"'
    places = {
        f"runs: {quoted}": "runs", f"dataset: {{root: [a, {quoted}]}}": "dataset.root[1]",
        f"search:\n  cases:\n    a: {{hyperparameters: {{epochs: {quoted}}}}}": "search.cases.a.hyperparameters.epochs",
        f"description: |\n  {text}" if "\n" not in text else f"description: {quoted}": "description",
    }  # fmt: skip
    for content, key in places.items():
        written = read_yaml(content, "x.yaml")
        (problem,) = written.problems
        assert problem.startswith("x.yaml:")
        assert f": {key} is " in problem
        assert "hunter2" not in f"{written.content()} {problem}"
    for override in (f"runs={text}", f"dataset.root=[{quoted}]", f"+dataset={{root: {quoted}}}"):
        with pytest.raises(InputError) as caught:
            load_study("quickstart", [override])
        assert "hunter2" not in str(caught.value)
        assert str(caught.value).startswith("command line: ")


def test_the_sentence_names_file_key_value_and_fix() -> None:
    written = read_yaml("method: backtal\nruns: ${oc.env:HOME}/runs\n", "studies/x.yaml")
    assert list(written.problems) == [f'studies/x.yaml:2: runs is "${{oc.env:HOME}}/runs", {OUTSIDE}']
    assert refused("${broken") == "broken; write ${KEY} with a key of the study, such as ${hyperparameters.epochs}"
    assert refused("${${runs}}") == "but only ${KEY} is filled in, KEY written out; write it so"


@pytest.mark.parametrize("key", ["${oc.env:HOME}", "a${runs}", "${runs}"])
def test_a_key_holds_no_reference(key: str) -> None:
    (problem,) = read_yaml(f'runs: here\n"{key}": 1\n', "x.yaml").problems
    assert problem == f'x.yaml:2: "{key}" is a key; ${{...}} is not filled in there, write it out'
    with pytest.raises(InputError, match="write it out"):
        load_study("quickstart", [f'search.cases={{"{key}": {{method: backtal}}}}'])
    with pytest.raises(InputError):
        load_study("quickstart", [f"search.cases.{key}.method=backtal"])


def test_references_inside_the_file_are_filled_in() -> None:
    text = (
        "hyperparameters: {epochs: 7, rates: [0.1, 0.2]}\nruns: ${method}/x-${hyperparameters.epochs}\n"
        "method: backtal\nsearch: {a-b: '${runs}', of: '${search.list}', "
        "list: ['${hyperparameters.rates[1]}', '${hyperparameters.rates}']}\n"
    )  # fmt: skip
    written = read_yaml(text, "x.yaml")
    content = written.content()
    assert not list(written.problems)
    assert content["runs"] == "backtal/x-7"
    assert content["search"] == {
        "a-b": "backtal/x-7", "list": [0.2, [0.1, 0.2]], "of": [0.2, [0.1, 0.2]],
    }  # fmt: skip


@pytest.mark.parametrize("value", ["['${a%d}', '${a%d}']", '"${a%d}${a%d}"', "{b: '${a%d}', c: '${a%d}'}"])
def test_references_that_double_are_refused_before_they_grow(value: str) -> None:
    lines = ["a0: some text", *(f"a{row + 1}: {value % (row, row)}" for row in range(60))]
    written = read_yaml("\n".join(lines), "x.yaml")
    assert written.content() == {}
    (problem,) = written.problems
    assert problem == "x.yaml: its references ${...} fill in more than a file holds; write them out"


def test_references_through_others_are_counted_too() -> None:
    lines = ["a0: {x: some text}", "b0: ${a0}"]
    lines += [
        f"a{row + 1}: {{x: ['${{b{row}.x}}', '${{b{row}.x}}']}}\nb{row + 1}: ${{a{row + 1}}}" for row in range(40)
    ]
    written = read_yaml("\n".join(lines), "x.yaml")
    assert written.content() == {}
    assert len(written.problems) == 1


def chain(length: int) -> tuple[object, list[str]]:
    """What a chain of references is filled in with, and its problems."""
    lines = ["a0: end", *(f"a{row + 1}: ${{a{row}}}" for row in range(length))]
    written = read_yaml("\n".join(lines), "x.yaml")
    filled = written.content().get(f"a{length}")
    return filled, list(written.problems)


def test_a_long_chain_is_filled_in_or_reported() -> None:
    assert chain(20) == ("end", [])
    filled, problems = chain(150)  # how deep the parser of references may recurse depends on the caller's depth
    assert (filled == "end") == (not problems)
    filled, problems = chain(3000)
    assert filled is None
    assert problems == ["x.yaml: its references ${...} fill in more than a file holds; write them out"]


def test_references_in_a_circle_are_reported() -> None:
    written = read_yaml("a: ${b}\nb: ${a}\nc: ${c}\nd: ['${d}']\ne: x${f}\nf: y${e}\n", "x.yaml")
    written.content()
    assert len(written.problems) >= 3
    assert all("cannot be filled in" in problem for problem in written.problems)


def test_the_size_is_computed_exactly() -> None:
    half = "x" * (MOST_FILLED_IN // 2)
    assert not too_large(OmegaConf.create({"a": half, "b": 1}))
    assert too_large(OmegaConf.create({"a": half, "b": ["${a}"]}))
    assert not too_large(OmegaConf.create({"b": "${nowhere[0]} ${b.c} ${a[7]}", "a": [1]}))
