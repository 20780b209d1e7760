"""A record that waits: while the disk is full or its database is locked or away, writes are tried again, not lost.

What is written while trials run (`soon`) waits in order, and the driver goes on: a trial never waits for the record.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from tal_search.errors import TalSearchError
from tal_search.files.disk import retry_when_full
from tal_search.record.optuna_tables import add_intermediate_values, add_trials

Result = TypeVar("Result")

AWAY = (OperationalError, InterfaceError)
AWAY_SECONDS = 600.0
POLL_SECONDS = 0.5
SLICE_SECONDS = 0.1  # what has waited for minutes is not done in one go, for which trials would wait
SAID_SECONDS = 2.0  # a record that is locked for longer is worth a sentence
BUSY_SECONDS = 5  # SQLite waits so long itself, while nothing else could be done; then Python sees signals
MOMENT_SECONDS = 0.05  # the same while trials run, once a lock: most are as short as another's transaction
# Each is one transaction that leaves nothing behind when it fails; Optuna's studies and its cache end in these.
CALLS = (
    "create_new_study", "set_study_system_attr", "set_study_user_attr", "set_trial_intermediate_value",
    "set_trial_state_values", "set_trial_system_attr", "set_trial_user_attr",
    "get_all_trials", "get_trial", "get_trial_number_from_id", "_get_trials", "_get_best_trial_id",
    "get_study_id_from_name", "get_study_system_attrs",
)  # fmt: skip


class PatientStorage(RDBStorage):
    """Optuna's storage. folder: of the study, where a process that waits for room on the disk leaves its marker.

    A call fails with TalSearchError once its database was away for ten minutes. say: gets a sentence when the writes of
    `soon` begin to wait, and one when they are done.
    """

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.say: Callable[[str], None] = lambda _: None
        self.hurried = False  # whether a call that finds the database locked or away fails at once
        self._waiting: deque[Callable[[], object]] = deque()
        self._since: float | None = None  # when the first of them failed first
        self._again = 0.0
        self._said = False
        super().__init__(url, **settings)

    @property
    def busy_seconds(self) -> float:
        """How long SQLite itself is to wait for a lock."""
        if not self.hurried:
            return BUSY_SECONDS
        return MOMENT_SECONDS if self._since is None else 0.0

    def soon(self, action: Callable[[], object]) -> None:
        """Do this after all that waits: at once, or with a later call of `soon` or `flush`.

        What reads the record or speaks of it as written comes here too, after the writes. An action that writes in
        several calls is begun again where one of them finds the database locked or away.
        """
        self._waiting.append(action)
        if time.monotonic() >= self._again:
            self._try(SLICE_SECONDS)

    def flush(self, seconds: float = math.inf) -> int:
        """Wait until all of it is done, for so long at most; how much is left."""
        until = time.monotonic() + seconds
        while not self._try(math.inf) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return len(self._waiting)

    def _try(self, seconds: float) -> bool:
        """Do what waits, for about so long; whether nothing waits any more."""
        until = time.monotonic() + seconds
        self.hurried = True
        try:
            while self._waiting:
                if time.monotonic() > until:
                    return False
                self._waiting[0]()
                self._waiting.popleft()
                self._since = None
        except AWAY as error:
            self._wait(error)
            return False
        except BaseException:
            self._waiting.clear()  # what comes after it builds on it
            raise
        finally:
            self.hurried = False
        if self._said:
            self.say("the record is back, and has all that waited for it")
        self._said = False
        return True

    def _wait(self, error: DBAPIError) -> None:
        now = time.monotonic()
        self._again = now + POLL_SECONDS
        self._since = self._since or now
        if now - self._since > AWAY_SECONDS:
            self._waiting.clear()
            raise _away(error) from error
        if now - self._since > SAID_SECONDS and not self._said:
            self._said = True
            self.say(
                f"the record cannot be written ({_first_line(error)}); trials go on, and what they find is in their "
                "folders until the record is back"
            )

    def add_trials(
        self, study_id: int, trials: Sequence[FrozenTrial], study_attributes: Mapping[str, Any] | None = None
    ) -> list[tuple[int, int]]:
        """See `bulk.add_trials`."""
        return self._patiently(lambda: add_trials(self, study_id, trials, study_attributes))

    def add_intermediate_values(self, trial_id: int, values: Mapping[int, float]) -> None:
        """See `optuna_tables.add_intermediate_values`."""
        self._patiently(lambda: add_intermediate_values(self, trial_id, values))

    def _patiently(self, action: Callable[[], Result]) -> Result:
        return patiently(action, self.folder, hurried=self.hurried)


def _patient(name: str) -> Callable[..., Any]:
    plain = getattr(RDBStorage, name)

    def call(self: PatientStorage, *given: Any, **named: Any) -> Any:
        return self._patiently(lambda: plain(self, *given, **named))

    call.__name__ = name
    return call


for _name in CALLS:
    setattr(PatientStorage, _name, _patient(_name))


def patiently(action: Callable[[], Result], folder: Path, *, hurried: bool = False) -> Result:
    """The result of a transaction, tried again while the disk is full (without end) or the database is away.

    hurried: a database that is away or locked is not waited for; its own error is raised.
    """
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
        except AWAY as error:
            if hurried:
                raise
            if time.monotonic() > until:
                raise _away(error) from error
            time.sleep(POLL_SECONDS)


def _away(error: DBAPIError) -> TalSearchError:
    return TalSearchError(
        f"the record's database was away for {AWAY_SECONDS / 60:.0f} minutes ({_first_line(error)}); finished trials "
        "are kept in their folders: start it, then run the same command again"
    )


def _first_line(error: DBAPIError) -> str:
    return str(error).splitlines()[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
