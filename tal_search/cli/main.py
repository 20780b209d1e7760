"""Entry point of `tal-search`: runs a command. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""

from __future__ import annotations

import sys
import tomllib
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module, metadata
from pathlib import Path

from tal_search.cli.arguments import HELP
from tal_search.cli.console import printable
from tal_search.errors import InputError, Interrupted, TalSearchError

USAGE = """\
Hyperparameter studies for temporal action localization.

  tal-search list                        the studies, one line each
  tal-search run study=NAME              train a study and print the results;
                                         continues a study that was interrupted
  tal-search run study=NAME --preview    count cells, repeats and fits, and
                                         estimate the time; nothing is trained
  tal-search status [study=NAME]         progress of each study that was run
  tal-search dashboard [study=NAME]      show results in a browser, live
  tal-search export study=NAME out=DIR   write the results to files: HTML, CSV,
                                         LaTeX, pictures
  tal-search rescore study=NAME inference.nms=[...]
                                         score finished fits with further
                                         inference settings
  tal-search evaluate KEY=VALUE ...      mAP of a detection file or a checkpoint
  tal-search data check ROOT             check a dataset; also `data convert`
  tal-search clicks stats FILE ...       statistics of click files
  tal-search complexity method=NAME      parameters and multiply-adds
  tal-search rebuild study=NAME          write a study to MLflow again
  tal-search gc                          list or remove unused trial folders

  tal-search COMMAND --help              all arguments of a command
  tal-search --version

`python -m tal_search.run` is the same as `tal-search run`.
"""
# Command → its module in `commands`, which has USAGE and `command(arguments) -> exit code`.
COMMANDS = {
    "list": "list_studies", "run": "run", "status": "status", "rescore": "rescore", "rebuild": "rebuild", "gc": "gc",
    "evaluate": "evaluate", "complexity": "complexity", "dashboard": "dashboard", "export": "export", "data": "data",
    "clicks": "clicks",
}  # fmt: skip
WITHOUT_ARGUMENTS = ("list", "status", "gc", "dashboard")
# Words for the same in other tools.
SYNONYMS = {
    "ls": "list", "studies": "list", "study": "list", "show": "status", "ps": "status", "info": "status",
    "progress": "status", "train": "run", "start": "run", "resume": "run", "continue": "run", "search": "run",
    "fit": "run", "ui": "dashboard", "serve": "dashboard", "dash": "dashboard", "open": "dashboard",
    "plot": "dashboard", "view": "dashboard", "clean": "gc", "prune": "gc", "rm": "gc", "remove": "gc", "delete": "gc",
    "score": "evaluate", "test": "evaluate", "map": "evaluate", "flops": "complexity", "check": "data",
    "convert": "data", "sync": "rebuild", "repair": "rebuild", "annotations": "clicks", "save": "export",
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in HELP:
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        sys.stdout.write(f"tal-search {version()}\n")
        return 0
    name, rest = arguments[0].removeprefix("--") if arguments[0] == "--list" else arguments[0], arguments[1:]
    if name not in COMMANDS:
        near = meant(name)
        hint = f"; did you mean '{near}'?" if near else f"; the commands are {', '.join(COMMANDS)}"
        sys.stderr.write(printable(f"'{name}' is not a command{hint}") + "\n")
        return 2
    return _run(name, rest)


def _run(name: str, arguments: list[str]) -> int:
    try:
        module = import_module(f"tal_search.cli.commands.{COMMANDS[name]}")
        if any(word in arguments for word in HELP) or (not arguments and name not in WITHOUT_ARGUMENTS):
            sys.stdout.write(module.USAGE)
            return 0 if arguments else 2
        return int(module.command(arguments))
    except TalSearchError as error:
        sentences = error.problems if isinstance(error, InputError) else str(error).split("\n")
        sys.stderr.writelines(f"{printable(sentence)}\n" for sentence in sentences)
        return error.exit_code
    except Interrupted as interrupted:
        return interrupted.exit_code
    except KeyboardInterrupt:
        return 130


def meant(name: str) -> str | None:
    """The command that a wrong name probably means: a synonym, an abbreviation or a misspelling."""
    if name.startswith("study="):
        return f"run {name}"
    name = name.lower().lstrip("-")
    if name in ("help", "version"):
        return f"--{name}"
    if name in COMMANDS or name in SYNONYMS:
        return SYNONYMS.get(name, name)
    abbreviated = [command for command in COMMANDS if len(name) > 1 and command.startswith(name)]
    if len(abbreviated) == 1:
        return abbreviated[0]
    near = get_close_matches(name, COMMANDS, 1) or get_close_matches(name, SYNONYMS, 1)
    return SYNONYMS.get(near[0], near[0]) if near else None


def version() -> str:
    """The version of the installed package, or of the checkout."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("tal-search")
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
