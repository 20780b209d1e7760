"""Files damaged anywhere: every reader reads or refuses them, in little time and memory.

The readers are those of `make fuzz`, which looks for the same for an hour and a half.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import tracemalloc
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.errors import InputError
from tests.fuzz.readers import READERS, require_sentences
from tests.support.waiting import DEADLINE

MOST_MEMORY = 32 << 20  # of a file of a few thousand bytes
MOST_CALLS = 1_000_000  # of functions, and returns from them: a second or two


@cache
def seeds_of(name: str) -> list[bytes]:
    with TemporaryDirectory() as folder:
        return READERS[name].seeds(Path(folder))


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A whole file with some bytes taken out or put in, here and there, or its end missing."""
    content = bytearray(draw(st.sampled_from(seeds_of(name))))
    words = st.sampled_from([word.encode() for word in READERS[name].words])
    for _ in range(draw(st.integers(0, 6))):
        place, gone = draw(st.integers(0, len(content))), draw(st.integers(0, 9))
        content[place : place + gone] = draw(st.binary(max_size=9) | words)
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 4)) == 0 else content)


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_sentences(name: str, tmp_path: Path) -> None:
    @settings(max_examples=60, deadline=1000 * DEADLINE)  # milliseconds, of each case
    @given(damaged(name))
    def run(content: bytes) -> None:
        calls = itertools.count()
        tracemalloc.start()
        sys.setprofile(lambda *_: next(calls) and None)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*created on Python 2.*")  # NumPy's, of a header
            try:
                READERS[name].read(tmp_path, content)
            except InputError as error:
                require_sentences(error)
            finally:
                sys.setprofile(None)
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        assert peak < MOST_MEMORY
        assert next(calls) < MOST_CALLS

    run()


@pytest.mark.parametrize("name", READERS)
def test_the_files_that_are_damaged_are_read_while_they_are_whole(name: str, tmp_path: Path) -> None:
    """Else damage would change nothing. Of the real files' beginnings some name videos that are not there."""
    read = 0
    for content in seeds_of(name):
        with contextlib.suppress(InputError):
            READERS[name].read(tmp_path, content)
            read += 1
    assert read
