"""The evaluate command: argument strings to scores, on the terminal and as JSON."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tal_search.cli.console import console
from tal_search.data.annotations import Unknown
from tal_search.errors import InputError
from tal_search.files.atomic import write_atomically, write_json

if TYPE_CHECKING:
    from tal_search.metrics.error_profile import ErrorProfile
    from tal_search.trial.evaluate import Benchmark
    from tal_search.types import Detections

USAGE = """\
tal-search evaluate detections=FILE ground_truth=FILE subset=NAME [unknown=error|ignore|count] [KEY=VALUE ...]
tal-search evaluate checkpoint=FILE data=DIR ground_truth=FILE subset=NAME [variant=paper|release]
                    [snippets=750] [detections_out=FILE] [KEY=VALUE ...]

  tiou=0.1:0.9:0.1        thresholds: START:STOP:STEP, both ends included, or a list
  protocol=activitynet    or thumos14: AP without interpolation, overlaps above the threshold
  ambiguous=FILE          thumos14: lines of VIDEO START END; detections touching one are ignored, not counted false
  videos=210|211|212|213  one of THUMOS14's test sets; all videos of the subset without it
  duplicates=keep|drop    whether an instance given twice in the ground truth counts twice
  compare=FILE            other detections: the difference in mAP and its interval, by a paired bootstrap over videos
  errors=FILE             what goes wrong at tIoU 0.5 (after DETAD), as FILE.json or FILE.parquet
  out=FILE                the scores, and the comparison, as JSON (fractions)

Detections and ground truth are ActivityNet-style JSON. `data` holds features in BackTAL's layout, in DIR/SUBSET or in
DIR itself.
"""
COMMON_KEYS = (
    "ground_truth", "subset", "tiou", "protocol", "ambiguous", "videos", "duplicates", "compare", "errors", "out",
)  # fmt: skip
FILE_KEYS = ("detections", "unknown", *COMMON_KEYS)
CHECKPOINT_KEYS = ("checkpoint", "data", "variant", "snippets", "detections_out", *COMMON_KEYS)
CHOICES = {"unknown": get_args(Unknown), "duplicates": ("keep", "drop")}
ERRORS_ENDINGS = (".json", ".parquet")


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
    problems += _wrong_values(values)
    if problems:
        raise InputError(problems)
    return _score_and_show(values)


def _key_values(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    pairs = [argument.partition("=") for argument in arguments]
    problems = [f"command line: '{key}' is not KEY=VALUE" for key, equals, _ in pairs if not equals]
    return {key: value for key, equals, value in pairs if equals}, problems


def _wrong_values(values: dict[str, str]) -> list[str]:
    problems = [
        f"command line: {key}={values[key]} is not one of {', '.join(choices)}"
        for key, choices in CHOICES.items()
        if values.get(key, choices[0]) not in choices
    ]
    problems += [
        f"command line: {key}={values[key]} is not a positive whole number"
        for key in ("snippets", "videos")
        if key in values and not (values[key].isdecimal() and int(values[key]) > 0)
    ]
    if "errors" in values and Path(values["errors"]).suffix not in ERRORS_ENDINGS:
        problems.append(f"command line: errors={values['errors']} must end in {' or '.join(ERRORS_ENDINGS)}")
    return problems


def _score_and_show(values: dict[str, str]) -> int:
    from tal_search.cli.score_tables import comparison_table, profile_tables, scores_table
    from tal_search.data.truths import note_empty
    from tal_search.metrics.average_precision import parse_tiou, score
    from tal_search.metrics.comparison import compare
    from tal_search.metrics.error_profile import error_profile

    tiou = parse_tiou(values.get("tiou", "0.1:0.9:0.1"))
    benchmark, ours, others = _inputs(values)
    scores = score(benchmark.truth, ours, tiou, subset=benchmark.subset, **benchmark.rules)
    content, tables = scores.to_json(), [scores_table(scores)]
    for other in others:
        comparison = compare(benchmark.truth, ours, other, tiou, **benchmark.rules)
        content["comparison"] = {"other": values["compare"], **comparison.to_json()}
        tables.append(comparison_table(comparison, Path(values["compare"]).name))
    if "errors" in values:
        profile = error_profile(benchmark.truth, ours, subset=benchmark.subset, **benchmark.rules)
        _write_profile(Path(values["errors"]), profile)
        tables += profile_tables(profile)
    if "out" in values:
        write_json(Path(values["out"]), content)
    for note in note_empty(Path(values["ground_truth"]), benchmark.truth):
        console().print(note, markup=False, soft_wrap=True)
    for table in tables:
        console().print(table)
    return 0


def _inputs(values: dict[str, str]) -> tuple[Benchmark, Detections, list[Detections]]:
    """What is scored against, what is scored, and what it is compared with."""
    from tal_search.data.annotations import write_detections
    from tal_search.trial.evaluate import SNIPPETS, detect, open_benchmark

    benchmark, found = open_benchmark(
        Path(values["ground_truth"]),
        values["subset"],
        [Path(values[key]) for key in ("detections", "compare") if key in values],
        protocol=values.get("protocol", "activitynet"),
        ambiguous=Path(values["ambiguous"]) if "ambiguous" in values else None,
        drop_duplicates=values.get("duplicates") == "drop",
        videos=int(values["videos"]) if "videos" in values else None,
        unknown=values.get("unknown", "error"),  # type: ignore[arg-type]  # one of the choices
    )
    if "checkpoint" not in values:
        return benchmark, found[0], found[1:]
    files, snippets = (Path(values["checkpoint"]), Path(values["data"])), int(values.get("snippets", SNIPPETS))
    ours = detect(*files, benchmark, values.get("variant", "paper"), snippets)
    if "detections_out" in values:
        write_detections(Path(values["detections_out"]), ours)
    return benchmark, ours, found


def _write_profile(path: Path, profile: ErrorProfile) -> None:
    """As JSON, or as a Parquet table of a number a row."""
    if path.suffix == ".json":
        write_json(path, profile.to_json())
        return
    import pandas

    write_atomically(path, lambda stream: pandas.DataFrame(profile.rows()).to_parquet(stream, index=False))
