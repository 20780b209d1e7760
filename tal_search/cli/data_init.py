"""The command `data init`: looks at a folder and drafts the definition of its dataset."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, print_wrapped
from tal_search.config.named_files import NAME
from tal_search.data.catalog import installed, require_name
from tal_search.data.draft.answers import Answer, answers, runnable
from tal_search.data.draft.choices import Choices, choices
from tal_search.data.draft.document import document
from tal_search.data.draft.look import Asked, Look, look
from tal_search.data.features.timing import Timing
from tal_search.errors import InputError
from tal_search.files.atomic import write_atomically
from tal_search.methods import available, specification
from tal_search.text.commands import command_line
from tal_search.text.words import counted

FOLDER = Path("datasets")


def init(arguments: list[str], keys: dict[str, Key]) -> int:
    """Draft a definition; keys: those of every data command. Raises InputError with all problems."""
    ours = {name: key for name, key in keys.items() if name != "file"}
    parsed = parse(Grammar(command="data init", keys=ours, words=(1, 1), needs="takes one folder"), arguments)
    root, values = Path(parsed.words[0]), parsed.values
    timing = Timing(**{key: values[key] for key in ("stride", "offset", "fps") if values[key] is not None})
    asked = Asked(
        name=values["name"], layout=values["layout"], timing=timing, ground_truth=values["ground_truth"],
        clicks=values["clicks"],
    )  # fmt: skip
    seen = look(root, asked)
    out = values["out"] or FOLDER / f"{require_name(seen.name)}.yaml"
    if out.exists() or out.is_symlink():
        raise InputError(f"{out} exists and is not overwritten; remove it, or give out=FILE or name=NAME")
    chosen = choices(seen)
    if values["snippets"]:
        chosen = dataclasses.replace(chosen, snippets=values["snippets"])
    write_atomically(out, lambda stream: stream.write(document(seen, chosen).encode()))
    methods = {name: supervision(name) for name in available()}
    _report(seen, chosen, answers(seen, chosen, methods), _next(seen, out, root, methods, asked))
    return 0


def supervision(method: str) -> tuple[str, ...]:
    """The supervision that a method reads by default."""
    return specification(method).configured().supervision


def _report(seen: Look, chosen: Choices, answered: list[Answer], following: list[str]) -> None:
    screen = console()
    lines = ["Inferred", *(f"  {key}: {value}; {why}" for key, value, why in chosen.inferred)]
    lines += ["", "Could not be inferred", *(f"  {key}: {why}; {give}" for key, why, give in chosen.missing)]
    lines += ["", "You may ask next", *(f"  {question} {answer}." for question, answer in answered)]
    if seen.notes:
        lines.append(f"  What else is odd in the files? `data check` prints {counted(len(seen.notes), 'note')}.")
    for line in [*lines, "", *following]:
        print_wrapped(screen, line)


def _next(seen: Look, out: Path, root: Path, methods: dict[str, tuple[str, ...]], asked: Asked) -> list[str]:
    """Where the draft is, what it shadows, and the next commands."""
    lines = [f"Written to {out}. Read it, then:"]
    if seen.name in installed():
        lines.insert(0, f"WARNING: '{seen.name}' is a dataset that comes with tal_search; name=OTHER keeps both apart.")
    able, _ = runnable(seen, methods)
    where = [] if out == FOLDER / f"{seen.name}.yaml" and NAME.fullmatch(seen.name) else [f"file={out}"]
    files = [f"{key}={path}" for key, path in (("ground_truth", asked.ground_truth), ("clicks", asked.clicks)) if path]
    if seen.layout is not None:
        lines.append("  " + command_line("data", "check", str(root), f"name={seen.name}", *where, *files))
    if able and seen.layout is not None:
        fork = [f"study.fork={seen.name}"] if NAME.fullmatch(seen.name) else []
        study = ["study=thumos_single", *fork, f"method={able[0]}", "search.repeats.annotators=auto"]
        study += [f"dataset.name={seen.name}", f"dataset.root={root}"]
        lines.append("  " + command_line("run", *study, *(f"dataset.{word}" for word in (*where, *files))))
    return lines
