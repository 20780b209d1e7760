"""Entry point of `tal-search`: runs a command.

Exit codes: 0 done, 1 trials failed or the command could not go on, 2 bad input, 70 an error of this program
(EX_SOFTWARE of sysexits.h), 128 + signal after a signal.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
import traceback
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module, metadata
from pathlib import Path

from tal_search.cli.arguments import HELP
from tal_search.cli.output import finished, protect_output
from tal_search.errors import InputError, Interrupted, TalSearchError
from tal_search.files.disk import is_full
from tal_search.text.printable import shown_line
from tal_search.text.urls import password_variables, without_passwords

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
  tal-search data check ROOT             check a dataset; also init, convert
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
    if arguments is None:
        hide_passwords()
    protect_output()
    return finished(_command(sys.argv[1:] if arguments is None else arguments))


def hide_passwords() -> None:
    """Start this process again with the passwords of its arguments in its environment, which only its user can read.

    Every account of the machine can list the arguments of processes, and Ray keeps those of a cluster's drivers.
    """
    variables = [password_variables(argument) for argument in sys.orig_argv]
    if any(variables):
        kept = [without_passwords(one) if known else one for one, known in zip(sys.orig_argv, variables, strict=True)]
        os.execve(sys.executable, kept, {**os.environ, **dict(pair for known in variables for pair in known.items())})  # noqa: S606


def _command(arguments: list[str]) -> int:
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
        sys.stderr.write(shown_line(f"'{name}' is not a command{hint}") + "\n")
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
        sys.stderr.writelines(f"{shown_line(sentence)}\n" for sentence in sentences)
        return error.exit_code
    except Interrupted as interrupted:
        return interrupted.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        sys.stderr.write(shown_line(_of_system(error)) + "\n")
        return 1
    except Exception as error:
        sys.stderr.write(shown_line(_of_program(error)) + "\n")
        return 70


def _of_system(error: OSError) -> str:
    """The sentence for a file or a connection that failed in the middle of a command."""
    place = f"{error.filename}: " if error.filename is not None else ""
    fix = "free some space" if is_full(error) else "correct that"
    return f"{place}{error.strerror or error}; {fix}, then run the same command again"


def _of_program(error: Exception) -> str:
    """The sentence for an error that no input should cause; the traceback goes to a file, which it names."""
    what = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
    try:
        handle, path = tempfile.mkstemp(prefix="tal-search-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"an error of tal_search itself: {what} ({place.filename}, line {place.lineno}); please report it"
    return f"an error of tal_search itself: {what}; please report it with {path}"


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
