"""Records of made-up trials, and their Optuna trials as any other program sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from tal_search.plan.cells import Trial
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tests.support.small_trials import make_spec

AXES: dict[str, Sequence[object]] = {
    "lambda_sep": [0.25, 1.0, 4.0], "kernel_size": [1, 3], "affinity": [True, False],
}  # fmt: skip


def url_of(where: Path | str) -> str:
    """The SQLAlchemy URL of a record's file, or the URL itself."""
    return f"sqlite:///{quote(str(where))}" if isinstance(where, Path) else where


def trials_of(where: Path | str, study: str) -> list[FrozenTrial]:
    """The trials of an Optuna study. The checks of a storage, skipped here, take longer than reading it."""
    storage = RDBStorage(url_of(where), skip_compatibility_check=True, skip_table_creation=True)
    try:
        return optuna.load_study(study_name=study, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def trial_of(seed: int = 0, **cell: object) -> Trial:
    """A trial; its fit is at NMS 0.5, `cell` may hold another `inference.nms`."""
    cell = {"lambda_sep": 1.0, "kernel_size": 3, "affinity": True, **cell}
    spec = make_spec(seed, cell={axis: value for axis, value in cell.items() if axis != "inference.nms"})
    inference = {**spec.inference, "nms": cell.get("inference.nms", 0.5)}
    return Trial(cell=cell, spec=spec, inference=inference, annotation_seconds=48.0)


def open_record(
    folder: Path, axes: Mapping[str, Sequence[object]] | None = None, settings: dict[str, object] | None = None
) -> Record:
    """The record of the study "grid" in this folder."""
    distributions = {axis: distribution_of(values) for axis, values in (AXES if axes is None else axes).items()}
    return Record.open(folder / "record.db", "grid", distributions, settings)


def write_keys(where: Path | str, keys: list[str], study: str = "s", state: TrialState = TrialState.RUNNING) -> None:
    """Write an Optuna study of trials with these keys, and of one without a key."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
    storage = RDBStorage(url_of(where))
    value = 0.5 if state == TrialState.COMPLETE else None
    try:
        created = optuna.create_study(storage=storage, study_name=study, load_if_exists=True)
        created.add_trial(create_trial(state=state, value=value, user_attrs={"cell": "key"}))
        for key in keys:
            created.add_trial(create_trial(state=state, value=value, user_attrs={"key": key, "cell": {"a": 1}}))
    finally:
        storage.remove_session()
        storage.engine.dispose()
