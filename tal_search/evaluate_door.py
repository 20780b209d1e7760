"""The evaluate command: argument strings to scores, on the terminal and as JSON."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import get_args

from tal_search.data.annotations import Unknown
from tal_search.errors import InputError
from tal_search.terminal import console

USAGE = """\
tal-search evaluate detections=FILE ground_truth=FILE subset=NAME [tiou=0.1:0.9:0.1] [protocol=activitynet]
                    [unknown=error|ignore|count] [out=FILE]
tal-search evaluate checkpoint=FILE data=DIR ground_truth=FILE subset=NAME [variant=paper|release]
                    [snippets=750] [detections_out=FILE] [tiou=...] [out=FILE]

Files are ActivityNet-style JSON. tiou is START:STOP:STEP, both ends included, or a list. `out` receives the scores as
JSON (fractions). `data` holds features in BackTAL's layout, in DIR/SUBSET or in DIR itself.
"""
FILE_KEYS = ("detections", "ground_truth", "subset", "tiou", "protocol", "unknown", "out")
CHECKPOINT_KEYS = (
    "checkpoint",
    "data",
    "ground_truth",
    "subset",
    "variant",
    "snippets",
    "detections_out",
    "tiou",
    "protocol",
    "out",
)


def command(arguments: list[str]) -> int:
    """Score a detection file or a checkpoint; returns the exit code. Raises InputError."""
    values, problems = _key_values(arguments)
    known = CHECKPOINT_KEYS if "checkpoint" in values else FILE_KEYS
    for key in values.keys() - set(known):
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else "the keys are " + ", ".join(known)
        problems.append(f"command line: {key} is unknown; {hint}")
    needed = ("data", "ground_truth", "subset") if "checkpoint" in values else ("detections", "ground_truth", "subset")
    problems += [
        f"command line: {key}= is missing; see tal-search evaluate --help" for key in needed if key not in values
    ]
    if problems:
        raise InputError(problems)
    return _score_and_show(values)


def _key_values(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    pairs = [argument.partition("=") for argument in arguments]
    problems = [f"command line: '{key}' is not KEY=VALUE" for key, equals, _ in pairs if not equals]
    return {key: value for key, equals, value in pairs if equals}, problems


def _score_and_show(values: dict[str, str]) -> int:
    from tal_search.evaluate import SNIPPETS, evaluate_checkpoint, evaluate_file, scores_table
    from tal_search.metrics.average_precision import parse_tiou
    from tal_search.trial_folder import write_json

    tiou = parse_tiou(values.get("tiou", "0.1:0.9:0.1"))
    common = (Path(values["ground_truth"]), values["subset"], tiou, values.get("protocol", "activitynet"))
    if "checkpoint" in values:
        scores = evaluate_checkpoint(
            Path(values["checkpoint"]),
            Path(values["data"]),
            *common,
            variant=values.get("variant", "paper"),
            snippets=_positive(values.get("snippets", str(SNIPPETS)), "snippets"),
            detections_out=Path(values["detections_out"]) if "detections_out" in values else None,
        )
    else:
        scores = evaluate_file(Path(values["detections"]), *common, unknown=_unknown(values.get("unknown", "error")))
    if "out" in values:
        write_json(Path(values["out"]), scores.to_json())
    console().print(scores_table(scores))
    return 0


def _positive(text: str, key: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"command line: {key}={text} is not a positive whole number")
    return int(text)


def _unknown(text: str) -> Unknown:
    for choice in get_args(Unknown):
        if text == choice:
            return choice  # type: ignore[no-any-return]
    raise InputError(f"command line: unknown={text} is not one of {', '.join(get_args(Unknown))}")
