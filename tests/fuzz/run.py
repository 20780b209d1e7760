"""Fuzzing of every reader of foreign files, by Atheris (libFuzzer): `make fuzz`.

    python tests/fuzz/run.py [READER ...] [--seconds 600]

Each reader is fuzzed in a process of its own. A finding ends its run: an error that is not a refusal in sentences, a
case of more than 5 s or 64 MiB, as Python counts them, or 512 MiB beyond what the process began with. The input is kept
under tests/artifacts/fuzz; `--case FILE READER` runs one again.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "tests" / "artifacts" / "fuzz"
CASE_SECONDS = 5
MOST_TRACED, MOST_MEMORY = 64 << 20, 512 << 20
MOST_BYTES = 1 << 16  # of one input

sys.path.insert(0, str(ROOT))
WATCHED = ["tal_search", "yaml", "omegaconf", "zipfile", "numpy.lib"]  # whose branches guide the mutations
with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=WATCHED):
    from tal_search.errors import InputError
    from tests.fuzz.reader import Reader
    from tests.fuzz.readers import READERS, require_sentences


def call_of(reader: Reader, folder: Path, last: Path) -> Callable[[bytes], None]:
    """A call on one input that raises only findings, and ends the process where it takes too long.

    The input is kept in the file `last` meanwhile. libFuzzer's own limit does not see what hangs in a library.
    """

    def call(data: bytes) -> None:
        last.write_bytes(data)
        tracemalloc.reset_peak()
        faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)
        try:
            reader.read(folder, data)
        except InputError as error:
            require_sentences(error)
        finally:
            faulthandler.cancel_dump_traceback_later()
        peak = tracemalloc.get_traced_memory()[1]  # a MemoryError may have been taken for a broken file
        assert peak < MOST_TRACED, f"{peak >> 20} MiB"

    return call


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one reader; libFuzzer ends the process, with an error where there is a finding."""
    reader, folder = READERS[name], Path(tempfile.mkdtemp())
    corpus, seeds, words = folder / "corpus", folder / "seeds", folder / "words"
    for part in (corpus, seeds, folder / "made", ARTIFACTS):
        part.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(reader.seeds(folder / "made")):
        (seeds / f"{number:03d}").write_bytes(seed)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in reader.words)
    words.write_text("#\n" + "".join(f'"{word}"\n' for word in escaped))
    flags = {
        "max_total_time": seconds, "max_len": MOST_BYTES, "dict": words, "artifact_prefix": ARTIFACTS / f"{name}-",
        "timeout": 600, "rss_limit_mb": 0,
    }  # fmt: skip
    atheris.Setup([name, *(f"-{key}={value}" for key, value in flags.items()), str(corpus), str(seeds)],
                  call_of(reader, folder / "made", ARTIFACTS / f"{name}-last"))  # fmt: skip
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_MEMORY, taken + MOST_MEMORY))
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--seconds", type=int, default=600, help="for each reader")
    parser.add_argument("--here", action="store_true", help="fuzz the one reader in this process")
    parser.add_argument("--case", type=Path, help="run this input alone")
    options = parser.parse_args()
    tracemalloc.start()
    names = options.readers or list(READERS)
    if unknown := sorted(set(names) - set(READERS)):
        parser.error(f"unknown readers: {', '.join(unknown)}; there are {', '.join(READERS)}")
    if options.case:
        with tempfile.TemporaryDirectory() as folder:
            call_of(READERS[names[0]], Path(folder), Path(folder) / "last")(options.case.read_bytes())
        return 0
    if options.here:
        fuzz(names[0], options.seconds)
    found = []
    for name in names:
        print(f"{name}: {options.seconds} s", flush=True)
        command = [sys.executable, __file__, name, "--here", "--seconds", str(options.seconds)]
        if subprocess.run(command, check=False).returncode:
            found.append(name)
    print(f"findings in {', '.join(found)}; see {ARTIFACTS}" if found else f"no finding in {', '.join(names)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
