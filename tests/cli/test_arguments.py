"""The parser of command lines: everything that is wrong at once, and usage texts that name what is taken."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tal_search.cli.arguments import Grammar, Key, ending, number, one_of, parse, whole
from tal_search.cli.main import COMMANDS, SYNONYMS, main, meant
from tal_search.errors import InputError

SIZE = whole(2, 100, "is not a whole number from 2 to 100")
GRAMMAR = Grammar(
    command="try",
    keys={
        "size": Key(convert=SIZE, default=7),
        "share": Key(convert=number(0, 1, "is no share"), default=0.5),
        "kind": Key(convert=one_of(("plain", "fancy")), default="plain"),
        "out": Key(convert=ending((".json",)), required="give a file"),
    },
    flags=("--quick",),
    words=(1, 2),
    needs="takes one or two files",
)
OVERRIDDEN = Grammar(command="try", keys={"study": Key(required="name one")}, flags=("--quick",), overrides=True)
MODULES = [import_module(f"tal_search.cli.commands.{module}") for module in COMMANDS.values()]


def problems(grammar: Grammar, *arguments: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        parse(grammar, arguments)
    assert all(problem.startswith("command line: ") for problem in raised.value.problems)
    return [problem.removeprefix("command line: ") for problem in raised.value.problems]


def test_values_are_converted_and_the_rest_has_its_defaults() -> None:
    found = parse(GRAMMAR, ["a b.txt", "size=12", "--quick", "out=x=y.json"])
    assert found.values == {"size": 12, "share": 0.5, "kind": "plain", "out": Path("x=y.json")}
    assert (found.words, found.flags, found.overrides) == (("a b.txt",), {"--quick"}, ())
    assert parse(GRAMMAR, ["a", "out=o.json"]).values["size"] == 7
    assert parse(GRAMMAR, ["./a=b.txt", "out=o.json"]).words == ("./a=b.txt",)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["size=1"], "size=1 is not a whole number from 2 to 100"),
        (["size=2.0"], "size=2.0 is not a whole number from 2 to 100"),
        (["size=²"], "size=² is not a whole number from 2 to 100"),
        (["size=" + "9" * 5000], f"size={'9' * 5000} is not a whole number from 2 to 100"),
        (["share=nan"], "share=nan is no share"),
        (["share=1"], "share=1 is no share"),
        (["kind=fency"], "kind=fency is not one of plain, fancy; did you mean 'fancy'?"),
        (["size="], "size= has no value; give one, or leave it out"),
        (["size=3", "size=4"], "size= is given 2 times (3, 4); keep one"),
        (["sise=3"], "sise is unknown; did you mean 'size'?"),
        (["colour=red"], "colour is unknown; try takes size=, share=, kind=, out=, --quick"),
        (["=3"], " is unknown; try takes size=, share=, kind=, out=, --quick"),
        (["--quik"], "'--quik' is unknown; did you mean '--quick'?"),
        (["--quick=yes"], "--quick takes no value; leave out '=yes'"),
        (["--size=3"], "--size is unknown; write size=3"),
        (["--size"], "'--size' is unknown; write size=VALUE"),
        (["out="], "out= is given 2 times (o.json, ); keep one"),
        (["x=y/z"], "x is unknown; try takes size=, share=, kind=, out=, --quick"),
        (["-x"], "'-x' is unknown; try takes size=, share=, kind=, out=, --quick"),
        (["b", "c"], "try takes one or two files, not a b c"),
    ],
)
def test_each_wrong_argument_is_one_sentence(arguments: list[str], says: str) -> None:
    assert problems(GRAMMAR, "a", "out=o.json", *arguments) == [says]


def test_everything_that_is_wrong_is_said_at_once_in_its_order() -> None:
    found = problems(GRAMMAR, "kind=x", "sise=3", "size=0", "size=1", "out=o.csv")
    assert found == [
        "kind=x is not one of plain, fancy", "sise is unknown; did you mean 'size'?",
        "size=0 is not a whole number from 2 to 100", "out=o.csv must end in .json",
        "size= is given 2 times (0, 1); keep one", "try takes one or two files, not none",
    ]  # fmt: skip
    assert problems(GRAMMAR, "a") == ["out= is missing; give a file"]


def test_overrides_are_kept_as_they_are() -> None:
    found = parse(OVERRIDDEN, ["study=x", "~search.axes.k", "a.b=[1, 2]", "word", "--quick"])
    assert found.overrides == ("~search.axes.k", "a.b=[1, 2]", "word")
    assert found.values == {"study": "x"}
    assert problems(OVERRIDDEN, "quickstart") == ["study= is missing; write study=quickstart instead of 'quickstart'"]
    assert problems(OVERRIDDEN, "a=1", "stuyd=x") == ["study= is missing; write study=x instead of 'stuyd=x'"]
    assert problems(OVERRIDDEN, "study=") == ["study= has no value; name one"]
    assert problems(OVERRIDDEN, "a.b=1", "--slow", "--a.b=2") == [
        "'--slow' is unknown; try takes study=, --quick", "--a.b is unknown; try takes study=, --quick",
        "study= is missing; name one",
    ]  # fmt: skip


def grammars(module: ModuleType) -> list[Grammar]:
    """Those of a command, and of its parts that have modules of their own."""
    own = [found for found in vars(module).values() if isinstance(found, Grammar)]
    parts = [part for part in vars(module).values() if isinstance(part, ModuleType) and "_commands." in part.__name__]
    return own + [found for part in parts for found in grammars(part)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_usage_names_every_key_and_flag_and_no_other(module: ModuleType) -> None:
    found = grammars(module)
    keys = {key for grammar in found for key in grammar.keys}
    flags = {flag for grammar in found for flag in grammar.flags}
    assert found
    assert keys <= set(re.findall(r"(?<![.\w])([a-z_]+(?:\.[a-z_]+)*)=", module.USAGE))
    assert flags == set(re.findall(r"(?<!\w)--[a-z]+", module.USAGE))
    if not any(grammar.overrides for grammar in found):
        sections = {"dataset", "folds", "clickers"}  # of a study, read as its overrides
        assert set(re.findall(r"(?<![.\w])([a-z_]+)=", module.USAGE)) <= keys | sections


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("lits", "list"), ("ls", "list"), ("studies", "list"), ("stat", "status"), ("show", "status"),
        ("ui", "dashboard"),
        ("serve", "dashboard"), ("dashbord", "dashboard"), ("eval", "evaluate"), ("resume", "run"), ("rum", "run"),
        ("clean", "gc"), ("exp", "export"), ("click", "clicks"), ("--run", "run"), ("RUN", "run"), ("re", None),
        ("zzz", None), ("", None), ("help", "--help"), ("version", "--version"), ("study=x", "run study=x"),
    ],
)  # fmt: skip
def test_a_wrong_command_suggests_what_is_meant(
    typed: str, command: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert meant(typed) == command
    assert main([typed]) == 2
    hint = f"; did you mean '{command}'?" if command else f"; the commands are {', '.join(COMMANDS)}"
    assert capsys.readouterr().err == f"'{typed}' is not a command{hint}\n"


def test_listing_by_run_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--list", "--bogus"]) == 2
    assert capsys.readouterr().err == "command line: '--bogus' is unknown; run takes study=, --preview, --list\n"
    assert main(["run", "--list", "study=quickstart"]) == 0


def test_what_steers_a_terminal_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["\x1b[31m\n"], ["gc", "runs=\x1b[31m\n"], ["gc", "\x1b[31m\n"]):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert "\\x1b[31m\\n" in said
        assert (said.count("\x1b"), said.count("\n")) == (0, 1)


def test_every_synonym_is_another_word_for_a_command() -> None:
    assert set(SYNONYMS.values()) <= COMMANDS.keys()
    assert not SYNONYMS.keys() & COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_given_wherever_it_is_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = import_module(f"tal_search.cli.commands.{COMMANDS[name]}")
    for arguments in (["--help"], ["nonsense", "-h"], ["a=b", "--help", "--x"]):
        assert main([name, *arguments]) == 0
        assert capsys.readouterr().out == module.USAGE
    assert module.USAGE.startswith(f"tal-search {name}")
