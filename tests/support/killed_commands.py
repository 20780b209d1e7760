"""Commands of `tal-search` that are killed with SIGKILL at a chosen point of their progress.

As a program it is a server that forks a process per command. It has imported everything, also what a command that was
not killed imported, so that a kill meets the command at work and not its imports. Progress is counted in steps: a file
opened for writing, renamed or removed under the working folder, and every SQL statement.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT, SUPPORT

CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "sqlite3.connect")
LONGEST_DELAY = 0.03  # seconds after a step; SQLite and NumPy write without one
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Ended(NamedTuple):
    """A command's end. code: its exit code, -9 if it was killed; steps: how many it made, 0 if it was killed."""

    code: int
    steps: int
    output: str


class Commands:
    """The server as a client sees it; `folder` is the working folder of all commands."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder, self._process = folder, process

    def run(self, arguments: list[str], kill_at: int = 0, delay: float = 0.0) -> Ended:
        """Run a command; kill it `delay` seconds after step `kill_at`, unless that is 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([arguments, kill_at, delay]) + "\n")
        self._process.stdin.flush()
        code, steps = json.loads(self._process.stdout.readline())
        return Ended(code, steps, (self.folder / "output").read_text())

    def kill(self, arguments: list[str], steps: int, share: float, chance: random.Random) -> bool:
        """Kill a command at a share of its steps; False if it ended before, because earlier ones had done the rest."""
        ended = self.run(
            arguments, max(1, round(share * steps)), chance.choice([0.0, chance.uniform(0, LONGEST_DELAY)])
        )
        assert ended.code in (0, -signal.SIGKILL), ended.output
        return ended.code != 0


@contextmanager
def commands(folder: Path) -> Iterator[Commands]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "dashboards")])}
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "killed_commands.py")], cwd=folder, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield Commands(folder, process)
        finally:
            process.kill()


def _serve() -> int:
    import plotly.graph_objects  # noqa: F401
    import torch

    import tal_search.execution.driver
    import tal_search.tracking.rebuild  # noqa: F401
    from tal_search.tracking.mlflow_client import import_mlflow

    import_mlflow()
    torch.set_num_threads(1)
    for line in sys.stdin:
        arguments, kill_at, delay = json.loads(line)
        reader, writer = os.pipe()
        process = os.fork()
        if not process:
            os.close(reader)
            return _command(arguments, kill_at, writer)
        os.close(writer)
        said = os.read(reader, 100)  # at the step, or at the end
        if said == b"now":
            time.sleep(delay)
            os.kill(process, signal.SIGKILL)
        os.close(reader)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        for name in Path("modules").read_text().split() if said != b"now" else ():
            with suppress(Exception):  # some cannot be imported by their name
                importlib.import_module(name)
        sys.stdout.write(json.dumps([code, int(said) if said.isdigit() else 0]) + "\n")
        sys.stdout.flush()
    return 0


def _command(arguments: list[str], kill_at: int, writer: int) -> int:
    """Run a command in this process, which counts its steps."""
    import sqlalchemy

    from tal_search.cli.main import main

    steps, here = 0, os.getcwd()  # noqa: PTH109
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            os.write(writer, b"now")

    def audit(event: str, values: tuple[object, ...]) -> None:
        opened = event == "open" and isinstance(values[2], int) and values[2] & WRITING
        if (opened or event in CHANGES) and os.path.abspath(str(values[0])).startswith(here):  # noqa: PTH100
            step()

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", step)
    sys.addaudithook(audit)
    code = main(arguments)
    sys.stdout.flush()
    if not kill_at:
        Path("modules").write_text("\n".join(name for name in sys.modules if name != "__main__"))
        os.write(writer, str(steps).encode())
    return code


if __name__ == "__main__":
    sys.exit(_serve())
