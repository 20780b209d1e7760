"""The evaluate command: scores of a detection file or a checkpoint, on the terminal and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tal_search.cli.arguments import Grammar, Key, ending, one_of, parse_leniently, whole
from tal_search.cli.console import console, print_line
from tal_search.config.checking import settings_of
from tal_search.config.thresholds import parse_tiou
from tal_search.data.catalog import dataset_name, definition, name_of, recognised
from tal_search.data.definition import DatasetDefinition
from tal_search.data.folds import subjects_of
from tal_search.data.truth.annotations import Unknown
from tal_search.errors import InputError
from tal_search.files.atomic import require_apart, write_json
from tal_search.study.dataset_keys import fold_places, read_settings, separated, with_short_keys
from tal_search.study.dataset_settings import DatasetSettings
from tal_search.types import PROTOCOLS

if TYPE_CHECKING:
    from rich.table import Table

    from tal_search.trial.evaluate import Benchmark, Folds
    from tal_search.types import Detections

USAGE = """\
tal-search evaluate detections=FILE[,FILE...] ground_truth=FILE [subset=NAME]
                    [unknown=error|ignore|count] [KEY=VALUE ...]
tal-search evaluate checkpoint=FILE data=DIR ground_truth=FILE [subset=NAME]
                    [variant=paper|release] [snippets=750]
                    [detections_out=FILE] [KEY=VALUE ...]

Detections and ground truth are ActivityNet-style JSON. `data` holds features in
BackTAL's layout, in DIR/SUBSET or in DIR itself. Keys of a study that decide a
score may be written as there: dataset.KEY=, protocol.tiou= and
protocol.evaluation=.

  subset=NAME             default: the test subset of the dataset's file
  folds={by: REGEX, of: N}  score the detections of all folds together, in
                          both subsets, with intervals over subjects, as `run`;
                          detections: one file, or FILE,FILE,... of the folds
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
AS_IN_STUDIES = {"protocol.tiou": "tiou", "protocol.evaluation": "protocol"}


def _paths(text: str) -> tuple[Path, ...]:
    """One file, or several with commas between them."""
    return (Path(text),) if Path(text).exists() else tuple(Path(part.strip()) for part in text.split(","))


COMMON = {
    "ground_truth": Key(convert=Path, required=MISSING),
    "subset": Key(),
    "name": Key(convert=dataset_name),
    "file": Key(convert=Path),
    "tiou": Key(convert=parse_tiou),
    "protocol": Key(convert=one_of(PROTOCOLS)),
    "ambiguous": Key(convert=Path),
    "videos": Key(convert=POSITIVE),
    "duplicates": Key(convert=one_of(("keep", "drop")), default="keep"),
    "compare": Key(convert=_paths),
    "errors": Key(convert=ending((".json", ".parquet"))),
    "out": Key(convert=Path),
}
FILE = Grammar(
    command="evaluate",
    keys={
        "detections": Key(convert=_paths, required=MISSING),
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
    values = _values(arguments, trained=trained)
    features = values["data"].rglob("*.npz") if trained else ()
    read = [values.get(key) for key in ("ground_truth", "ambiguous", "checkpoint")]
    read += [path for key in ("detections", "compare") for path in values.get(key) or ()]
    require_apart({key: values.get(key) for key in ("out", "errors", "detections_out")}, [*read, *features])
    dataset = _dataset(values)
    values["tiou"] = values["tiou"] or parse_tiou(dataset.tiou)
    values["protocol"] = values["protocol"] or dataset.protocol
    return _score_and_show(values | {"dataset": dataset})


def _values(arguments: list[str], *, trained: bool) -> dict[str, Any]:
    """The keys, and `folds`. Raises InputError with all problems, among them keys of a study that change no score."""
    rest, overrides = separated(with_short_keys(arguments, AS_IN_STUDIES), ("folds",))
    grammar, (settings, written) = CHECKPOINT if trained else FILE, read_settings(overrides)
    unread = [name for name in settings_of(DatasetSettings) if name not in grammar.keys and name != "folds"]
    given = [argument for argument in rest if argument.partition("=")[0].partition(".")[0] in unread]
    parsed = parse_leniently(grammar, [argument for argument in rest if argument not in given])
    parsed.problems.extend(written.problems)
    if given:
        names = ", ".join(f"{argument.partition('=')[0]}=" for argument in given)
        parsed.problems.add(f"command line: {names} cannot change the score of given detections; leave out each")
    from tal_search.trial.evaluate import Folds

    folds = None
    if settings.folds is not None:
        folds = Folds(settings.folds.by, settings.folds.of, fold_places(written))
        if trained:
            parsed.problems.add("command line: folds= needs detections=, as a checkpoint is of one fit; leave it out")
        if parsed.values["subset"] is not None:
            parsed.problems.add("command line: subset= is given beside folds=, which test both subsets; leave it out")
    parsed.problems.raise_if_any()
    return {**parsed.values, "folds": folds}


def _dataset(values: dict[str, Any]) -> DatasetDefinition:
    """The definition of the dataset that the arguments name, or else that of the ground truth."""
    if values["name"] is None and values["file"] is None:
        try:
            return recognised(values["ground_truth"])
        except InputError:  # reported with the problems of the other files
            return DatasetDefinition(name="")
    return definition(name_of(values["name"], values["file"]), values["file"])


def _score_and_show(values: dict[str, Any]) -> int:
    from tal_search.cli.score_tables import comparison_table, profile_tables, scores_table, write_profile
    from tal_search.data.truth.truth_notes import detection_notes, truth_notes
    from tal_search.metrics.average_precision import score
    from tal_search.metrics.comparison import compare
    from tal_search.metrics.error_profile import error_profile
    from tal_search.trial.evaluate import unscored_folds

    notes: list[str] = []
    tiou, (benchmark, ours, others) = values["tiou"], _inputs(values, notes)
    scores = score(benchmark.truth, ours, tiou, subset=benchmark.subset, **benchmark.rules)
    content, tables = scores.to_json(), [scores_table(scores)]
    subjects = None
    if benchmark.folds is not None:
        subjects = subjects_of(benchmark.truth.videos, benchmark.folds.by)[1]
        notes += unscored_folds(benchmark.folds, benchmark.truth, ours)
        content["folds"], table = _pooled(benchmark, benchmark.folds, ours, tiou)
        tables.append(table)
    for other in others:
        comparison = compare(benchmark.truth, ours, other, tiou, subject_V=subjects, **benchmark.rules)
        content["comparison"] = {"other": str(_together(values["compare"])), **comparison.to_json()}
        tables.append(comparison_table(comparison, _together(values["compare"]).name))
    if values["errors"] is not None:
        profile = error_profile(benchmark.truth, ours, subset=benchmark.subset, **benchmark.rules)
        write_profile(values["errors"], profile)
        tables += profile_tables(profile)
    if values["out"] is not None:
        write_json(values["out"], content)
    paths = [values[key] for key in ("detections", "checkpoint", "compare") if values.get(key) is not None]
    for path, found in zip(paths, [ours, *others], strict=True):
        notes += detection_notes(path if isinstance(path, Path) else _together(path), benchmark.truth, found)
    for note in [*notes, *truth_notes(values["ground_truth"], benchmark.truth)]:
        print_line(console(), note)
    for table in tables:
        console().print(table)
    return 0


def _together(files: tuple[Path, ...]) -> Path:
    """Files as messages name them."""
    return files[0] if len(files) == 1 else Path(f"{files[0]} and {len(files) - 1} more")


def _pooled(
    benchmark: Benchmark, folds: Folds, ours: Detections, tiou: tuple[float, ...]
) -> tuple[dict[str, object], Table]:
    """Scores and intervals of pooled folds as a study's tables give them: as JSON, fractions, and as a table."""
    from tal_search.cli.score_tables import folds_table
    from tal_search.results.folds.pooling import as_fractions, interval_words, with_intervals
    from tal_search.trial.pooled.joint_folds import pooled_scores

    found = pooled_scores(benchmark.truth, ours, tiou, folds.by, benchmark.protocol, benchmark.ambiguous)
    intervals, method = with_intervals(found, folds.of), interval_words(found.subjects)
    content = {
        "by": folds.by,
        "of": folds.of,
        "subjects": found.subjects,
        "interval": method,
        "rows": as_fractions(intervals),
    }
    return content, folds_table(intervals, method)


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
        folds=values["folds"],
        notes=notes,
    )
    if checkpoint is None:
        return benchmark, read[0], read[1:]
    ours = detect(checkpoint, values["data"], benchmark, values["variant"], values["snippets"])
    if values["detections_out"] is not None:
        write_detections(values["detections_out"], ours)
    return benchmark, ours, read
