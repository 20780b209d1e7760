"""Commands print on streams that lack a character, that nobody reads, or whose disk is full: never a traceback."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.cli.main import COMMANDS, main
from tal_search.cli.output import PLAIN, PLAIN_LETTERS, Output, plain
from tests.support.make_dataset import make_dataset
from tests.support.waiting import IMPORTABLE


def run(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which TAL is the command `tal-search`."""
    settings = {**os.environ, "PYTHONPATH": IMPORTABLE, "TAL": f"{sys.executable} -m tal_search", **environment}
    return subprocess.run(["bash", "-c", line], env=settings, capture_output=True, text=True, check=False)


def test_letters_that_an_encoding_lacks_are_written_plainly() -> None:
    assert plain("λ = 4 ± 1 · τ_same → Δ é 类 \udce9", "ascii") == "lambda = 4 +/- 1 - tau_same -> diff e ? ?"
    assert plain("λ ± é", "latin-1") == "lambda ± é"
    assert plain("λ ± é \udce9", "utf-8") == "λ ± é ?"
    assert all(text.isascii() and text.isprintable() for text in PLAIN.values())


def test_a_closed_pipe_loses_nothing_and_is_no_error() -> None:
    for line in ("$TAL list | head -1; echo ${PIPESTATUS[0]}", "$TAL list | true; echo ${PIPESTATUS[0]}"):
        ended = run(line)
        assert ended.stdout.splitlines()[-1] == "0"
        assert ended.stderr == ""


def test_output_that_a_full_disk_lost_is_said() -> None:
    ended = run("$TAL list > /dev/full")
    assert ended.returncode == 1
    assert ended.stderr == (
        "the output could not be written (No space left on device); the command itself went on to its end\n"
    )


def test_closed_streams_are_no_error_and_no_file_takes_their_place(tmp_path: Path) -> None:
    assert run("$TAL list >&-").returncode == 0
    assert run("$TAL nonsense 2>&-").returncode == 2
    code = (
        "import os; from tal_search.cli.output import protect_output; protect_output(); "
        f"file = open({str(tmp_path / 'file')!r}, 'w'); assert file.fileno() > 2; os.write(1, b'stray')"
    )
    assert run(f'{sys.executable} -c "{code}" <&- >&- 2>&-').returncode == 0
    assert (tmp_path / "file").read_text() == ""


def test_a_stream_that_broke_takes_more_text(tmp_path: Path) -> None:
    with Output(io.FileIO("/dev/full", "w"), encoding="ascii", errors=PLAIN_LETTERS) as output:
        for _ in range(3):
            output.write("λ" * 10_000)
            output.flush()
    assert output.failure is not None
    assert output.failure.errno == errno.ENOSPC


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_every_command_prints_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "thumos14")
    commands = [
        *([name, "--help"] for name in COMMANDS), ["list"], ["status", f"runs={tmp_path}"], ["gc", f"runs={tmp_path}"],
        ["complexity", "method=representative", "snippets=16", "channels=16", "classes=3"],
        ["run", "study=quickstart", f"runs={tmp_path}", "--preview"], ["data", "check", str(dataset)],
        ["clicks", "stats", str(dataset / "clicks_background_A1.txt")],
    ]  # fmt: skip
    for command in commands:
        raw = io.BytesIO()
        output = Output(io.BufferedWriter(raw), encoding=encoding, errors=PLAIN_LETTERS)
        monkeypatch.setattr(sys, "stdout", output)
        assert main(command) == 0, command
        output.flush()
        assert raw.getvalue().decode(encoding)


def test_errors_are_printed_in_any_encoding() -> None:
    ended = run("$TAL run study=quickstärt; $TAL run study=quickstart λ=×", PYTHONIOENCODING="ascii:strict")
    first, second = ended.stderr.splitlines()
    assert first.startswith("study=quickstart is unknown; did you mean 'quickstart'?")
    assert second.startswith("command line: lambda=x: ")
