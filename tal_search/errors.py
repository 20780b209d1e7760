"""Errors that a user can cause, each with the exit code of the command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

LISTED = 20  # most problems of one file that are spelled out; the rest is counted
LISTED_IN_ALL = 30  # the same for a whole dataset
LISTED_ALIKE = 3  # the same for problems of one kind, such as one that every video has


class TalSearchError(Exception):
    """A failure that ends a command with one sentence instead of a traceback (exit code 1)."""

    exit_code = 1


class InputError(TalSearchError):
    """Bad input: all problems at once, one sentence each (exit code 2, nothing written).

    A sentence names the file, the key or video, the value seen and the fix.
    """

    exit_code = 2

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        assert self.problems, "an InputError needs at least one problem"
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)  # workers pickle errors for the driver


class Problems:
    """Collects the problems of an input, one sentence each, so that all are reported in one pass.

    path: the file they are in; each sentence then starts with it. most: how many are spelled out, the rest being
    counted; by default LISTED of one file, otherwise all. A collector for several files has no path: their sentences
    name them.
    """

    def __init__(self, path: Path | None = None, *, most: int | None = None) -> None:
        self.path = path
        self._most = LISTED if most is None and path is not None else most
        self._sentences: list[str] = []
        self._alike: Counter[str] = Counter()
        self._last: dict[str, int] = {}  # index of the last sentence that is spelled out of a kind

    def __len__(self) -> int:
        return len(self._sentences)

    def __iter__(self) -> Iterator[str]:
        sentences = list(self._sentences)
        for kind, index in self._last.items():
            more = self._alike[kind] - LISTED_ALIKE
            sentences[index] += f" (and {more} more like it)" if more > 0 else ""
        return iter(sentences)

    def add(self, sentence: str, kind: str | None = None) -> None:
        """Add a sentence. kind: of problems that many videos may have; LISTED_ALIKE of them are spelled out."""
        if kind is not None:
            self._alike[kind] += 1
            if self._alike[kind] > LISTED_ALIKE:
                return
            self._last[kind] = len(self._sentences)
        if self.path is not None:
            text = f"{self.path}: {sentence}".replace("\n", "\\n")  # some released files have keys with line breaks
            sentence = text.encode("utf-8", "replace").decode()
        self._sentences.append(sentence)

    def extend(self, sentences: Iterable[str]) -> None:
        """Add complete sentences, such as another error's, as they are."""
        self._sentences.extend(sentences)

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Collect the problems of an InputError raised in the block instead of stopping there."""
        try:
            yield
        except InputError as error:
            self.extend(error.problems)

    def raise_if_any(self) -> None:
        """Raise InputError with every problem collected so far."""
        sentences = list(self)
        if self._most is not None and len(sentences) > self._most:
            more = len(sentences) - self._most
            place, like = ("", "") if self.path is None else (f"{self.path}: ", " like these")
            tail = f"{place}and {more} more problem{'s' if more > 1 else ''}{like}; fix those above first"
            raise InputError([*sentences[: self._most], tail])
        if sentences:
            raise InputError(sentences)


class MissingExtra(InputError):
    """An optional package is not installed; the message gives the pip command that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package} is not installed; run: pip install 'tal-search[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:  # type: ignore[override]
        return type(self), (self.package, self.extra)


def require_packages(*packages: str, extra: str) -> None:
    """Raises MissingExtra if one of the packages is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(package, extra)


class Interrupted(KeyboardInterrupt):
    """A signal ended the command; running trials have saved their progress (exit code 128 + signal)."""

    def __init__(self, signal_number: int) -> None:
        self.exit_code = 128 + signal_number
        super().__init__(signal_number)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then the one that caused it, and so on; each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
