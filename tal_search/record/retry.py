"""Optuna storage that retries while the database is locked, unreachable or out of space.

Writes made while trials run go through a queue (`enqueue`): if the record cannot be written they stay in it, in order,
and the driver goes on, so that no trial waits for the record.
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
from tal_search.record import optuna_tables

Result = TypeVar("Result")

AWAY = (OperationalError, InterfaceError)  # a database that is locked or cannot be reached
AWAY_SECONDS = 600.0  # the run ends if the database is away for longer
POLL_SECONDS = 0.5
SLICE_SECONDS = 0.1  # the queue is drained in slices, so that trials are not blocked
WARN_SECONDS = 2.0  # warn if the record is locked for longer
BUSY_SECONDS = 5  # SQLite's busy timeout; short, so that signals are handled
QUEUE_BUSY_SECONDS = 0.05  # the same while the queue is drained; most transactions of other processes are shorter
# Each is one transaction that leaves nothing behind when it fails; Optuna's studies and its cache call nothing else.
CALLS = (
    "create_new_study", "set_study_system_attr", "set_study_user_attr", "set_trial_intermediate_value",
    "set_trial_state_values", "set_trial_system_attr", "set_trial_user_attr",
    "get_all_trials", "get_trial", "get_trial_number_from_id", "_get_trials", "_get_best_trial_id",
    "get_study_id_from_name", "get_study_system_attrs",
)  # fmt: skip


class RetryingStorage(RDBStorage):
    """Optuna's storage, whose calls are retried; TalSearchError after AWAY_SECONDS without a database.

    folder: of the study; a process that waits for disk space leaves its marker beside it. say: gets a sentence when
    queued writes begin to wait, and one when they are done.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        say: Callable[[str], None] | None = None,
        **options: Any,
    ) -> None:
        self._folder, self._say = folder, say or (lambda _: None)
        self._queue: deque[Callable[[], object]] = deque()
        self._draining = False  # a call that finds the database locked or away then fails at once
        self._failing_since: float | None = None  # when the action at the head of the queue first failed
        self._next_try = 0.0
        self._warned = False
        super().__init__(url, **options)

    @property
    def busy_seconds(self) -> float:
        """SQLite's busy timeout for the next call."""
        if not self._draining:
            return BUSY_SECONDS
        return QUEUE_BUSY_SECONDS if self._failing_since is None else 0.0

    def enqueue(self, action: Callable[[], object]) -> None:
        """Run an action after those in the queue: now, or in a later call of `enqueue` or `flush`.

        Actions that read the record, or report that something was written, are queued too, after the writes. An action
        of several writes is run again from its start if one of them finds the database locked or away.
        """
        self._queue.append(action)
        if time.monotonic() >= self._next_try:
            self._drain(SLICE_SECONDS)

    def flush(self, seconds: float = math.inf) -> int:
        """Wait up to `seconds` for the queue to empty; returns the number of actions left."""
        until = time.monotonic() + seconds
        while not self._drain(math.inf) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return len(self._queue)

    def _drain(self, seconds: float) -> bool:
        """Run queued actions for about `seconds`; returns whether the queue is empty."""
        until = time.monotonic() + seconds
        self._draining = True
        try:
            while self._queue:
                if time.monotonic() > until:
                    return False
                self._queue[0]()
                self._queue.popleft()
                self._failing_since = None
        except AWAY as error:
            self._postpone(error)
            return False
        except BaseException:
            self._queue.clear()  # later actions build on the one that failed
            raise
        finally:
            self._draining = False
        if self._warned:
            self._say("the record can be written again, and has every result")
        self._warned = False
        return True

    def _postpone(self, error: DBAPIError) -> None:
        now = time.monotonic()
        self._next_try = now + POLL_SECONDS
        self._failing_since = self._failing_since or now
        if now - self._failing_since > AWAY_SECONDS:
            self._queue.clear()
            raise _away(error) from error
        if now - self._failing_since > WARN_SECONDS and not self._warned:
            self._warned = True
            self._say(
                f"the record cannot be written ({_first_line(error)}); trials continue, and their results are kept "
                "in their folders until it can be written"
            )

    def add_trials(
        self, study_id: int, trials: Sequence[FrozenTrial], study_attributes: Mapping[str, object] | None = None
    ) -> list[tuple[int, int]]:
        """See `optuna_tables.add_trials`."""
        return self._retry(lambda: optuna_tables.add_trials(self.engine, study_id, trials, study_attributes))

    def add_intermediate_values(self, trial_id: int, values: Mapping[int, float]) -> None:
        """See `optuna_tables.add_intermediate_values`."""
        self._retry(lambda: optuna_tables.add_intermediate_values(self.engine, trial_id, values))

    def reopen_failed_trials(self, study_id: int) -> None:
        """See `optuna_tables.reopen_failed_trials`."""
        self._retry(lambda: optuna_tables.reopen_failed_trials(self.engine, study_id))

    def _retry(self, transaction: Callable[[], Result]) -> Result:
        """The result of a transaction, retried while the disk is full (indefinitely) or the database is away.

        While the queue is drained, the error of a locked or unreachable database is raised at once.
        """
        until = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return retry_when_full(lambda: _with_database_error(transaction), self._folder)
            except AWAY as error:
                if self._draining:
                    raise
                if time.monotonic() > until:
                    raise _away(error) from error
                time.sleep(POLL_SECONDS)


def _retried(name: str) -> Callable[..., object]:
    plain = getattr(RDBStorage, name)

    def call(self: RetryingStorage, *args: object, **options: object) -> object:
        return self._retry(lambda: plain(self, *args, **options))

    call.__name__ = name
    return call


for _name in CALLS:
    setattr(RetryingStorage, _name, _retried(_name))


def _with_database_error(transaction: Callable[[], Result]) -> Result:
    """The result of a transaction; raises the database's own error where Optuna wraps it in another."""
    try:
        return transaction()
    except Exception as error:
        cause = next((inner for inner in _chain(error) if isinstance(inner, DBAPIError)), error)
    raise cause  # outside the handler, so that it does not become its own context


def _away(error: DBAPIError) -> TalSearchError:
    return TalSearchError(
        f"the record's database was unavailable for {AWAY_SECONDS / 60:.0f} minutes ({_first_line(error)}); start it, "
        "then run the same command again: results of finished trials are in their folders"
    )


def _first_line(error: DBAPIError) -> str:
    return str(error).splitlines()[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
