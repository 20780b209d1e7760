"""Lease of a study whose record is on PostgreSQL, where drivers on several machines can reach it.

A row of our own table `tal_search_leases` names the driver that runs the study, a token that grows with every new
holder, and the time, by the server's clock, until which the lease is valid. Its driver renews it; once it has expired,
because the driver was killed, stopped or cut off, another driver may take it. Every transaction of a driver compares
the token first and keeps the row from being taken until it ends (`Lease.check`): a driver that lost its lease writes
nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy
from sqlalchemy import BigInteger, Column, Connection, DateTime, MetaData, String, Table, Text, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from tal_search.errors import InputError
from tal_search.files.lock_file import Holder, LockLost, words
from tal_search.text.printable import first_line

LEASE_SECONDS = 15.0  # a killed driver's study can be taken after it; a stopped driver loses its study after it
POLL_SECONDS = 0.2  # to see whether the holder renews its lease
CREATING = 7416  # key of the advisory lock held while the table is created, chosen arbitrarily
LIBPQ = {"connect_timeout": 10, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
         "tcp_user_timeout": 10_000}  # fmt: skip  # seconds, the last in ms: a vanished server is an error within ten
LIBPQ_DRIVERS = ("postgresql", "postgresql+psycopg", "postgresql+psycopg2")

LEASES = Table(
    "tal_search_leases", MetaData(), Column("study", String(512), primary_key=True),
    Column("token", BigInteger, nullable=False), Column("holder", Text),  # JSON; null after a clean exit
    Column("until", DateTime(timezone=True), nullable=False),
)  # fmt: skip
# FOR KEY SHARE conflicts with TAKE, not with RENEW. A driver that is stopped inside a transaction must not keep TAKE
# waiting, so the server ends such a transaction. Both settings end with the transaction.
CHECK = text(
    "SELECT token, set_config('lock_timeout', :lock, true), "
    "set_config('idle_in_transaction_session_timeout', :idle, true) "
    "FROM tal_search_leases WHERE study = :study FOR KEY SHARE"
)
INSERT = text("INSERT INTO tal_search_leases VALUES (:study, 0, NULL, '-infinity') ON CONFLICT DO NOTHING")
TAKE = text(
    "SELECT holder, until > clock_timestamp(), extract(epoch FROM until) FROM tal_search_leases WHERE study = :study "
    "FOR UPDATE"
)
TAKEN = text(
    "UPDATE tal_search_leases SET token = token + 1, holder = :holder, "
    "until = clock_timestamp() + make_interval(secs => :seconds) WHERE study = :study RETURNING token"
)
RENEW = text(
    "UPDATE tal_search_leases SET until = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE study = :study AND token = :token"
)
HOLDER = text("SELECT holder FROM tal_search_leases WHERE study = :study")
RELEASE = text(
    "UPDATE tal_search_leases SET holder = NULL, until = '-infinity' WHERE study = :study AND token = :token"
)


class Unconfirmed(Exception):
    """The lease may have expired, and the server has not said yet whether another driver took it."""


class _Held(NamedTuple):
    holder: Holder | None
    until: object


class Lease:
    """A driver's lease of a study; any thread may check and renew it."""

    def __init__(self, url: str, study: str, me: Holder, say: Callable[[str], None]) -> None:
        self._study, self._me, self._say = study, me, say
        one = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}  # a connection, which a hanging thread may have
        self._engine = sqlalchemy.create_engine(url, **one, **connect_options(url))
        self._token = 0
        self._valid_until = 0.0  # seconds of _now(); earlier than the server's time
        self._failing = False  # whether the last renewal found no server

    def take(self, refusal: Callable[[object], str], dead: object = None) -> Holder | None:
        """Take the lease; returns its last holder if that was killed, None after a clean exit.

        A holder that is not known to be dead is watched until its lease expires. Raises InputError with `refusal` of
        the holder if it renews its lease, or if the database refuses the lease.
        """
        seen: object = None
        try:
            with self._engine.begin() as connection:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({CREATING})"))
                LEASES.create(connection, checkfirst=True)
            while True:
                left, until = self._try(dead)
                if until is None:
                    return left
                if seen is not None and until != seen:
                    raise InputError(refusal(left))
                seen = until
                time.sleep(POLL_SECONDS)
        except SQLAlchemyError as error:
            raise InputError(
                f"the study {self._study} cannot be locked in its record's database ({first_line(error)}); correct "
                "the database, or the rights of its user"
            ) from None

    def _try(self, dead: object) -> _Held:
        """Take the lease if it is free: then its last holder, and no time; else its holder and how long it has it."""
        study, asked = {"study": self._study}, _now()
        with self._engine.begin() as connection:
            connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {int(1000 * LEASE_SECONDS)}"))
            connection.execute(INSERT, study)
            known, valid, until = connection.execute(TAKE, study).one()
            holder: Holder | None = None if known is None else json.loads(known)
            if valid and holder is not None and holder not in (self._me, dead):
                return _Held(holder, until)
            new = {"holder": json.dumps(self._me), "seconds": LEASE_SECONDS}
            self._token = connection.execute(TAKEN, study | new).scalar_one()
        self._valid_until = asked + LEASE_SECONDS
        return _Held(None if holder == self._me else holder, None)

    def renew(self) -> None:
        """Renew the lease, also after it expired, if no other driver took it. Raises LockLost if one did.

        A connection that broke is reported once, and once there is another. Does nothing while another thread renews.
        """
        asked = _now()
        try:
            with self._engine.begin() as connection:
                renewed = connection.execute(
                    RENEW, {"study": self._study, "token": self._token, "seconds": LEASE_SECONDS}
                ).rowcount
                if not renewed:
                    raise LockLost(self._lost_to(connection))
        except NoFreeConnection:
            return
        except SQLAlchemyError as error:
            if not self._failing:
                self._say(f"the connection to the record's database broke ({first_line(error)}); trying again")
            self._failing = True
            return
        self._valid_until = asked + LEASE_SECONDS
        if self._failing:
            self._say("connected to the record's database again; this driver still holds the study")
        self._failing = False

    def check(self, connection: Connection, lock_seconds: float) -> None:
        """At the start of a transaction: raise LockLost if another driver took the lease; else none can until its end.

        lock_seconds: how long a statement of the transaction may wait for a lock.
        """
        limits = {"lock": f"{max(1, int(1000 * lock_seconds))}ms", "idle": f"{int(1000 * LEASE_SECONDS)}ms"}
        row = connection.execute(CHECK, {"study": self._study, **limits}).first()
        if row is None or row.token != self._token:
            raise LockLost(self._lost_to(connection))

    def check_time(self) -> None:
        """Raise Unconfirmed if the lease may have expired and cannot be renewed, LockLost if another driver took it."""
        if _now() > self._valid_until and not self._failing:
            self.renew()  # this driver was stopped
        if _now() > self._valid_until:
            raise Unconfirmed("the lease of the study expired and could not be renewed yet")

    def release(self) -> None:
        """Let any driver take the study; without the server, the lease expires."""
        with suppress(SQLAlchemyError):
            if not self._failing:
                with self._engine.begin() as connection:
                    connection.execute(RELEASE, {"study": self._study, "token": self._token})
        self._engine.dispose()

    def _lost_to(self, connection: Connection) -> str:
        known = connection.scalar(HOLDER, {"study": self._study})
        now = f" has been taken over by {words(json.loads(known))}" if known else " is no longer held by this driver"
        return (
            f"the study {self._study}{now}: this driver was stopped, or was cut off from the record's database, for "
            f"more than {LEASE_SECONDS:g} seconds. It ends, and has written nothing since; the same command continues "
            "the study once it is free"
        )


def held_in_database(connection: Connection, study: str) -> bool:
    """Whether a driver holds a study on PostgreSQL, by the server's clock."""
    if connection.scalar(text("SELECT to_regclass('tal_search_leases')")) is None:
        return False
    held = "SELECT holder IS NOT NULL AND until > clock_timestamp() FROM tal_search_leases WHERE study = :study"
    return bool(connection.scalar(text(held), {"study": study}))


def connect_options(url: str) -> dict[str, dict[str, int]]:
    """Options of `create_engine`, so that a server that vanished is noticed; those in the URL take precedence."""
    parsed = sqlalchemy.make_url(url)
    if parsed.drivername not in LIBPQ_DRIVERS:
        return {}
    return {"connect_args": {name: value for name, value in LIBPQ.items() if name not in parsed.query}}


def _now() -> float:
    """Seconds that pass in a suspended machine too, unlike those of `time.monotonic`."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
