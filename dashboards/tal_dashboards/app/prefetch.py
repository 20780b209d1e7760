"""What a page is about to ask for, begun while its scripts still load."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """`make`, called with what it was begun with, gives what was begun; with anything else it makes it now.

    One thing at a time is begun: the latest; each is given once. What `make` raises is raised where it is asked for.
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
        if begun is None or begun[0] != query or begun[1].cancel():  # one that waits its turn is not waited for
            return self._make(query)
        self._begun = None
        return begun[1].result()
