"""kill -9 of every command that writes, from its first step to its last: the same command again completes its work.

TAL_CHAOS_FIRST (8) kills, spread over the steps of an unkilled run of each command (see `killed_commands.py`), so that
the making of databases is met as often as they write; `make chaos` makes them 100.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pytest

from tal_search.data.features.cache import open_cache
from tal_search.files.sqlite_files import sqlite_url
from tal_search.tracking.mlflow_client import mlflow_client
from tests.support.killed_commands import Commands, Ended, commands
from tests.support.make_dataset import make_dataset
from tests.support.mlflow_contents import runs_of
from tests.support.paths import STUDIES

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TAL_CHAOS_FIRST", "8"))
SHARES = {"run": 0.4, "rebuild": 0.2, "convert": 0.1, "rescore": 0.1, "gc": 0.1, "export": 0.1}
STUDY = [
    "study=quickstart", "dataset.snippets=40", "dataset.simulation.train_videos=6", "dataset.simulation.test_videos=6",
    "hyperparameters.epochs=1", "search.repeats.seeds=[0]", "search.axes.lambda_sep=[4]", "~search.axes.kernel_size",
    "backend=inline",
]  # fmt: skip
PER_FOLDER = 4  # kills before a command is run to its end
RESCORED = ["inference.nms=[0.4,0.5]"]
TIMES = ("seconds", "progress/")  # parts of names of metrics that are no results
UNNAMED = ["0" * 20, "1" * 20]  # trials that no record names


class Place(NamedTuple):
    """A command in a folder of its own. whole: what must be there in the end, made by a command that was not killed."""

    commands: Commands
    words: Callable[[Path], list[str]]
    prepare: Callable[[Path], None]
    contents: Callable[[Path], object]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The server, in a folder with studies and data."""
    folder = tmp_path_factory.mktemp("first seconds")
    shutil.copytree(STUDIES, folder / "studies")
    make_dataset(folder / "data")
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("BROWSER_PATH", str(folder / "none"))
        with commands(folder) as started:
            yield started


@pytest.fixture(scope="module", autouse=True)
def unkilled_run(server: Commands) -> Ended:
    """The end of the command that has made the study in the server's folder `finished`."""
    ended = server.run(["run", *STUDY, "runs=finished"])
    assert ended.code == 0, ended.output
    return ended


def kill_and_repeat(
    name: str, place: Place, check: Callable[[Path], None] | None = None, unkilled: Ended | None = None
) -> None:
    """Kill a command in a fresh folder, up to PER_FOLDER times, then run it to its end; as often as its share says.

    check: of the folder that a killed command leaves. unkilled: the end of the command that has made `finished`; None =
    another command, which runs here first.
    """
    folder, chance, left = place.commands.folder, random.Random(name), max(1, round(KILLS * SHARES[name]))
    whole = folder / ("finished" if unkilled else f"{name}-whole")
    if unkilled is None:
        place.prepare(whole)
        unkilled = place.commands.run(place.words(Path(whole.name)))
        assert unkilled.code == 0, unkilled.output
    wanted = place.contents(whole)
    while left > 0:
        here = folder / f"{name}-{left}"
        place.prepare(here)
        words, output = place.words(Path(here.name)), ""
        for share in sorted(chance.random() for _ in range(min(left, PER_FOLDER))):
            if name == "convert" and here.exists():
                break  # done: it refuses to replace a folder
            left -= place.commands.kill(words, unkilled.steps, share, chance)
            if check:
                check(here)
        if not (name == "convert" and here.exists()):
            ended = place.commands.run(words)
            assert ended.code == 0, ended.output
            output = ended.output
        assert place.contents(here) == wanted, f"with {left} kills left: {output}"
        shutil.rmtree(here)


def finished(runs: Path) -> None:
    shutil.copytree(runs.parent / "finished", runs)


def nothing(_: Path) -> None: ...


def results(runs: Path) -> dict[str, Any]:
    """mAP of every trial folder, with its scored settings."""
    found = {}
    for path in sorted((runs / "trials").iterdir()):
        settings = path / "settings.json"
        scored = sorted(json.loads(settings.read_text())) if settings.exists() else None
        found[path.name] = json.loads((path / "result.json").read_text())["result"]["mAP"], scored
    return found


def recorded(runs: Path) -> list[tuple[str, str, list[float]]]:
    """Every trial of the record."""
    storage = optuna.storages.RDBStorage(sqlite_url(runs / "quickstart" / "record.db"))
    try:
        trials = storage.get_all_trials(storage.get_study_id_from_name("quickstart"))
        return sorted((trial.user_attrs["id"], trial.state.name, trial.values) for trial in trials)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def copied(runs: Path) -> list[Any]:
    """What MLflow holds of the study: results, parameters and the content of files."""
    parent, children = runs_of(mlflow_client(sqlite_url(runs / "mlflow.db")), "quickstart")
    held: list[Any] = [parent.info.status]
    for run in sorted(children, key=lambda run: run.data.tags["key"]):
        files = runs / "mlartifacts" / run.info.run_id / "artifacts"
        assert run.info.artifact_uri == files.as_uri()
        metrics = {name: value for name, value in run.data.metrics.items() if not any(part in name for part in TIMES)}
        texts = {path.name: path.read_bytes() for path in files.iterdir() if path.suffix != ".parquet"}
        ours = {name: (runs / "trials" / run.data.tags["key"] / name).exists() for name in texts}
        held.append((run.data.tags["key"], run.info.status, metrics, run.data.params, sorted(texts), ours))
    return held


def study_contents(runs: Path) -> object:
    assert not list(runs.glob("mlflow.db.*")), "no database had to be set aside"
    tables = (runs / "quickstart" / "sensitivity.csv").read_text()
    return results(runs), recorded(runs), copied(runs), tables


def test_run(server: Commands, unkilled_run: Ended) -> None:
    place = Place(server, lambda runs: ["run", *STUDY, f"runs={runs}"], nothing, study_contents)
    kill_and_repeat("run", place, unkilled=unkilled_run)


def test_rebuild(server: Commands) -> None:
    def prepare(runs: Path) -> None:
        shutil.copytree(runs.parent / "finished", runs, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))

    kill_and_repeat("rebuild", Place(server, lambda runs: ["rebuild", *STUDY, f"runs={runs}"], prepare, study_contents))


def test_rescore(server: Commands) -> None:
    place = Place(server, lambda runs: ["rescore", *STUDY, f"runs={runs}", *RESCORED], finished, study_contents)
    kill_and_repeat("rescore", place)


def test_gc(server: Commands) -> None:
    def prepare(runs: Path) -> None:
        finished(runs)
        for name in UNNAMED:
            shutil.copytree(next((runs / "trials").glob("*")), runs / "trials" / name)

    contents = lambda runs: (results(runs), recorded(runs))  # noqa: E731
    kill_and_repeat("gc", Place(server, lambda runs: ["gc", "--yes", f"runs={runs}"], prepare, contents))


def test_export(server: Commands) -> None:
    folder = server.folder

    def contents(out: Path) -> dict[str, bytes]:
        """Files by name; the page's figures have random names inside."""
        paths = [path for path in sorted(out.rglob("*")) if path.is_file() and not path.name.startswith(".")]
        return {str(path.relative_to(out)): b"" if path.suffix == ".html" else path.read_bytes() for path in paths}

    def check(out: Path) -> None:
        whole = contents(folder / "export-whole")
        assert contents(out).items() <= whole.items()
        page = out / "index.html"
        assert not page.exists() or page.read_text().rstrip().endswith("</html>")

    words = lambda out: ["export", "study=quickstart", "runs=finished", f"out={out}"]  # noqa: E731
    kill_and_repeat("export", Place(server, words, nothing, contents), check)


def test_convert(server: Commands) -> None:
    def contents(out: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(out.iterdir())}

    def check(out: Path) -> None:
        if out.exists():
            open_cache(out, 20, checked=True)

    words = lambda out: ["data", "convert", "data", f"out={out}", "snippets=20"]  # noqa: E731
    kill_and_repeat("convert", Place(server, words, nothing, contents), check)
