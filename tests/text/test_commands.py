"""Printed commands are those that the shell and the program read back, whatever is in a path."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tal_search.study import load_study
from tal_search.text.commands import command_line, named, override, repeated
from tests.support.paths import STUDIES

FOLDERS = [
    "my runs", "what?now", "thumos%2014", "a#b", "a #b", "a&b;c|d", "it's", 'say "x"', "é/ü 日本", "a,b", "[x]",
    "{a: b}", "1", "1e3", "1_000", "null", "True", "a: b", "~x", "-x", "$HOME", "`x`", "a=b", "back\\slash", "x(1)",
    "*", "!x",
]  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_pasted_command_means_the_folder_that_was_printed(folder: str) -> None:
    line = command_line(
        "run", *repeated("quickstart", Path(folder), ("study=quickstart", "runs=old", "backend=inline"))
    )
    program, command, study, *overrides = shlex.split(line)
    assert (program, command, study) == ("tal-search", "run", "study=quickstart")
    assert overrides[1:] == ["backend=inline"]
    assert load_study("quickstart", overrides, STUDIES).runs == Path(folder)
    exported = shlex.split(command_line("export", *named("quickstart", Path(folder)), "out=FOLDER"))
    assert exported[2:] == ["study=quickstart", f"runs={folder}", "out=FOLDER"]


def test_a_real_shell_reads_the_words_back() -> None:
    words = [f"runs={folder}" for folder in FOLDERS]
    printed = command_line("%s\\n", *words, program="printf")
    assert subprocess.run(["/bin/sh", "-c", printed], capture_output=True, text=True).stdout.split("\n")[:-1] == words


def test_plain_words_are_printed_as_the_documents_write_them() -> None:
    assert command_line("export", *named("a", Path("runs"))) == "tal-search export study=a"
    assert command_line("export", *named("a", Path("my runs"))) == "tal-search export study=a runs='my runs'"
    words = repeated("a", Path("runs"), ("study=a", "runs=/old"), "search.repeats.seeds=[0,1]")
    assert command_line("run", *words) == "tal-search run study=a 'search.repeats.seeds=[0,1]'"
    assert override("dataset.root", "my data") == "dataset.root='my data'"


def test_a_study_that_moved_is_named_where_it_is_now() -> None:
    moved = repeated("a", Path("/new"), ("study=b", "study.fork=a", "x=1", "runs=/old", "+y.z=2"), "x=2")
    assert moved == ("study=b", "study.fork=a", "runs=/new", "+y.z=2", "x=2")
    assert repeated("a", Path("/new"), ()) == ("study=a", "runs=/new")
