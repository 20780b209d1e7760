"""The evaluate command: scores of a detection file or a checkpoint, on the terminal and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tal_search.cli.arguments import Grammar, Key, ending, one_of, parse, whole
from tal_search.cli.console import console, print_line
from tal_search.config.thresholds import parse_tiou
from tal_search.data.catalog import dataset_name, definition, name_of, recognised
from tal_search.data.definition import DatasetDefinition
from tal_search.data.truth.annotations import Unknown
from tal_search.errors import InputError
from tal_search.files.atomic import require_apart, write_atomically, write_json
from tal_search.types import PROTOCOLS

if TYPE_CHECKING:
    from tal_search.metrics.error_profile import ErrorProfile
    from tal_search.trial.evaluate import Benchmark
    from tal_search.types import Detections

USAGE = """\
tal-search evaluate detections=FILE ground_truth=FILE subset=NAME
                    [unknown=error|ignore|count] [KEY=VALUE ...]
tal-search evaluate checkpoint=FILE data=DIR ground_truth=FILE subset=NAME
                    [variant=paper|release] [snippets=750]
                    [detections_out=FILE] [KEY=VALUE ...]

Detections and ground truth are ActivityNet-style JSON. `data` holds features in
BackTAL's layout, in DIR/SUBSET or in DIR itself.

  unknown=error           detections with an unknown video or label: refuse them
                          (error), drop them (ignore) or keep them (count)
  name=NAME               dataset of the ground truth, whose classes its labels
                          must be (see `tal-search list`; any other name allows
                          any labels); default: by the file's name,
                          gt_NAME.json, or by its labels
  file=FILE               what is known of it; default: datasets/NAME.yaml of
                          the working folder, else the installed one
  tiou=0.1:0.9:0.1        thresholds: START:STOP:STEP, both ends included, or a
                          list; default: those of the dataset's file
  protocol=activitynet    or thumos14, the toolkit's: instances choose
                          detections, AP without interpolation; default: that of
                          the dataset's file
  ambiguous=FILE          thumos14: lines of VIDEO START END; false detections
                          that overlap one are ignored, as are those that
                          overlap instances labelled Ambiguous
  videos=210|211|212|213  one of THUMOS14's test sets; default: all videos of
                          the subset
  duplicates=keep|drop    whether an instance listed twice in the ground truth
                          counts twice
  compare=FILE            other detections: the difference in mAP and its
                          interval, by a paired bootstrap over videos
  errors=FILE             error analysis at tIoU 0.5 (after DETAD), to FILE.json
                          or FILE.parquet
  out=FILE                the scores and the comparison, as JSON (fractions)
"""
POSITIVE = whole(1, 10**9, "is not a positive whole number")
MISSING = "see tal-search evaluate --help"
COMMON = {
    "ground_truth": Key(convert=Path, required=MISSING),
    "subset": Key(required=MISSING),
    "name": Key(convert=dataset_name),
    "file": Key(convert=Path),
    "tiou": Key(convert=parse_tiou),
    "protocol": Key(convert=one_of(PROTOCOLS)),
    "ambiguous": Key(convert=Path),
    "videos": Key(convert=POSITIVE),
    "duplicates": Key(convert=one_of(("keep", "drop")), default="keep"),
    "compare": Key(convert=Path),
    "errors": Key(convert=ending((".json", ".parquet"))),
    "out": Key(convert=Path),
}
FILE = Grammar(
    command="evaluate",
    keys={
        "detections": Key(convert=Path, required=MISSING),
        "unknown": Key(convert=one_of(get_args(Unknown)), default="error"),
        **COMMON,
    },
)
CHECKPOINT = Grammar(
    command="evaluate checkpoint=",
    keys={
        "checkpoint": Key(convert=Path),
        "data": Key(convert=Path, required=MISSING),
        "variant": Key(convert=one_of(("paper", "release")), default="paper"),
        "snippets": Key(convert=POSITIVE, default=750),
        "detections_out": Key(convert=Path),
        **COMMON,
    },
)


def command(arguments: list[str]) -> int:
    """Score a detection file or a checkpoint; returns the exit code. Raises InputError."""
    trained = any(argument.startswith("checkpoint=") for argument in arguments)
    values = parse(CHECKPOINT if trained else FILE, arguments).values
    features = values["data"].rglob("*.npz") if trained else ()
    read = [values.get(key) for key in ("detections", "ground_truth", "ambiguous", "compare", "checkpoint")]
    require_apart({key: values.get(key) for key in ("out", "errors", "detections_out")}, [*read, *features])
    dataset = _dataset(values)
    values["tiou"] = values["tiou"] or parse_tiou(dataset.tiou)
    values["protocol"] = values["protocol"] or dataset.protocol
    return _score_and_show(values | {"dataset": dataset})


def _dataset(values: dict[str, Any]) -> DatasetDefinition:
    """The definition of the dataset that the arguments name, or else that of the ground truth."""
    if values["name"] is None and values["file"] is None:
        try:
            return recognised(values["ground_truth"])
        except InputError:  # reported with the problems of the other files
            return DatasetDefinition(name="")
    return definition(name_of(values["name"], values["file"]), values["file"])


def _score_and_show(values: dict[str, Any]) -> int:
    from tal_search.cli.score_tables import comparison_table, profile_tables, scores_table
    from tal_search.data.truth.truth_notes import detection_notes, truth_notes
    from tal_search.metrics.average_precision import score
    from tal_search.metrics.comparison import compare
    from tal_search.metrics.error_profile import error_profile

    notes: list[str] = []
    tiou, (benchmark, ours, others) = values["tiou"], _inputs(values, notes)
    scores = score(benchmark.truth, ours, tiou, subset=benchmark.subset, **benchmark.rules)
    content, tables = scores.to_json(), [scores_table(scores)]
    for other in others:
        comparison = compare(benchmark.truth, ours, other, tiou, **benchmark.rules)
        content["comparison"] = {"other": str(values["compare"]), **comparison.to_json()}
        tables.append(comparison_table(comparison, values["compare"].name))
    if values["errors"] is not None:
        profile = error_profile(benchmark.truth, ours, subset=benchmark.subset, **benchmark.rules)
        _write_profile(values["errors"], profile)
        tables += profile_tables(profile)
    if values["out"] is not None:
        write_json(values["out"], content)
    paths = [values[key] for key in ("detections", "checkpoint", "compare") if values.get(key) is not None]
    for path, found in zip(paths, [ours, *others], strict=True):
        notes += detection_notes(path, benchmark.truth, found)
    for note in [*notes, *truth_notes(values["ground_truth"], benchmark.truth)]:
        print_line(console(), note)
    for table in tables:
        console().print(table)
    return 0


def _inputs(values: dict[str, Any], notes: list[str]) -> tuple[Benchmark, Detections, list[Detections]]:
    """The ground truth, the detections to score, and those to compare them with; adds notes on their labels."""
    from tal_search.data.truth.annotations import write_detections
    from tal_search.trial.evaluate import detect, open_benchmark

    checkpoint = values.get("checkpoint")
    benchmark, read = open_benchmark(
        values["ground_truth"],
        values["subset"],
        [values[key] for key in ("detections", "compare") if values.get(key) is not None],
        protocol=values["protocol"],
        ambiguous=values["ambiguous"],
        drop_duplicates=values["duplicates"] == "drop",
        videos=values["videos"],
        unknown=values.get("unknown", "error"),
        dataset=values["dataset"],
        notes=notes,
    )
    if checkpoint is None:
        return benchmark, read[0], read[1:]
    ours = detect(checkpoint, values["data"], benchmark, values["variant"], values["snippets"])
    if values["detections_out"] is not None:
        write_detections(values["detections_out"], ours)
    return benchmark, ours, read


def _write_profile(path: Path, profile: ErrorProfile) -> None:
    """Write the profile as JSON, or as a Parquet table with one number per row."""
    if path.suffix == ".json":
        write_json(path, profile.to_json())
        return
    import pandas

    write_atomically(path, lambda stream: pandas.DataFrame(profile.rows()).to_parquet(stream, index=False))
