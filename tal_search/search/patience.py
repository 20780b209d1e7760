"""A record that waits: while the disk is full or its database is locked or away, writes are tried again, not lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from tal_search.disk import retry_when_full
from tal_search.errors import TalSearchError
from tal_search.search.bulk import add_trials

Result = TypeVar("Result")

AWAY_SECONDS = 600.0
POLL_SECONDS = 0.5
# Each is one transaction that leaves nothing behind when it fails; Optuna's studies and its cache end in these.
CALLS = (
    "create_new_study", "set_study_system_attr", "set_study_user_attr", "set_trial_intermediate_value",
    "set_trial_state_values", "set_trial_system_attr", "set_trial_user_attr",
    "get_all_trials", "get_trial", "get_trial_number_from_id", "_get_trials", "_get_best_trial_id",
    "get_study_id_from_name", "get_study_system_attrs",
)  # fmt: skip


class PatientStorage(RDBStorage):
    """Optuna's storage. folder: of the study, where a process that waits for room on the disk leaves its marker.

    A call fails with TalSearchError once its database was away for ten minutes.
    """

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self.folder = folder
        super().__init__(url, **settings)

    def add_trials(
        self, study_id: int, trials: Sequence[FrozenTrial], study_attributes: Mapping[str, Any] | None = None
    ) -> list[tuple[int, int]]:
        """See `bulk.add_trials`."""
        return patiently(lambda: add_trials(self, study_id, trials, study_attributes), self.folder)


def _patient(name: str) -> Callable[..., Any]:
    plain = getattr(RDBStorage, name)

    def call(self: PatientStorage, *given: Any, **named: Any) -> Any:
        return patiently(lambda: plain(self, *given, **named), self.folder)

    call.__name__ = name
    return call


for _name in CALLS:
    setattr(PatientStorage, _name, _patient(_name))


def patiently(action: Callable[[], Result], folder: Path) -> Result:
    """The result of a transaction, tried again while the disk is full (without end) or the database is away."""
    until = time.monotonic() + AWAY_SECONDS

    def attempt() -> Result:
        try:
            return action()
        except Exception as error:
            found = next((one for one in _chain(error) if isinstance(one, DBAPIError)), error)
        raise found  # out here, where it does not become its own cause

    while True:
        try:
            return retry_when_full(attempt, folder)
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > until:
                reason = str(error).splitlines()[0]
                raise TalSearchError(
                    f"the record's database was away for {AWAY_SECONDS / 60:.0f} minutes ({reason}); finished trials "
                    "are kept in their folders: start it, then run the same command again"
                ) from error
            time.sleep(POLL_SECONDS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
