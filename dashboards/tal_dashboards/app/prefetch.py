"""Prefetching: the server draws a view while the browser still loads the page's scripts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls `make` for a query in the background, and returns that result when called with the same query.

    Only the latest query is prefetched, and its result is used once; other queries are made when asked for. Exceptions
    of `make` are raised to the caller.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(1)
        self._begun: tuple[str, Future[T]] | None = None

    def begin(self, query: str) -> None:
        if self._begun is not None:
            self._begun[1].cancel()
        self._begun = query, self._pool.submit(self._make, query)

    def __call__(self, query: str) -> T:
        begun = self._begun
        if begun is None or begun[0] != query or begun[1].cancel():  # do not wait for one that is still queued
            return self._make(query)
        self._begun = None
        return begun[1].result()
