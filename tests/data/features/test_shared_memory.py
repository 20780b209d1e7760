"""Memory of shared arrays: one copy for all processes of a machine, made one video at a time."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.load import load
from tal_search.types import canonical_json
from tests.support.held_memory import held_by
from tests.support.make_dataset import SMALL, found, make_dataset

pytestmark = pytest.mark.usefixtures("nothing_loaded")

PROCESS = """
import json, re, sys, tracemalloc
from pathlib import Path
import numpy as np
from tal_search.data import load as loading
from tal_search.data.dataset_spec import DatasetSpec

def mapped():
    text = Path("/proc/self/smaps").read_text()  # of each file a line with its path, then lines with numbers
    files = re.findall(r"^[0-9a-f]+-.* " + re.escape(sys.argv[2]) + r"/.*\\n((?:[A-Z].*\\n)+)", text, re.MULTILINE)
    return sum(1024 * int(re.search(r"^Pss: *(\\d+) kB", lines, re.MULTILINE)[1]) for lines in files)

def own():
    arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([arrays]).traces)

made, simulate = [], loading.simulate
loading.simulate = lambda *arguments: (made.append(1), simulate(*arguments))[1]
spec = DatasetSpec(**json.loads(sys.argv[1]))
print(flush=True)
sys.stdin.readline()
tracemalloc.start()
dataset = loading.load(spec, "A1", ("background clicks",), Path(sys.argv[2]))
sums = [float(videos.features.sum(dtype=np.float64)) for videos in (dataset.train, dataset.test)]  # touch every page
print(json.dumps([len(made), sums]), flush=True)
sys.stdin.readline()
print(json.dumps([mapped(), own()]), flush=True)
sys.stdin.readline()
"""


def test_three_processes_hold_one_copy_in_memory_that_one_of_them_made(tmp_path: Path) -> None:
    wide = dataclasses.replace(SMALL, train_videos=40, test_videos=40, channels=224)
    spec = found(None, simulation=wide, snippets=400)
    command = [sys.executable, "-c", PROCESS, canonical_json(dataclasses.asdict(spec)), str(tmp_path / "shared")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    def answers() -> list[str]:
        lines = [process.stdout.readline() for process in processes if process.stdout is not None]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return lines

    try:
        answers()  # all three begin at once
        loaded = [json.loads(line) for line in answers()]
        held = np.array([json.loads(line) for line in answers()])
    finally:
        for process in processes:
            process.communicate()
    copy = sum(path.stat().st_size for path in (tmp_path / "shared").glob("*/*.npy"))
    assert 0.5 < copy / (80 * 224 * 400 * 4) < 0.51  # of what float32 takes
    assert sorted(made for made, _ in loaded) == [0, 0, 1]
    assert loaded[0][1] == loaded[1][1] == loaded[2][1]
    mapped, own = (held / copy).T
    assert 0.9 < mapped.sum() < 1.01, "of pages that processes share each counts its part"
    assert (own < 0.1).all()  # clicks, a byte a snippet and class


def test_shared_arrays_are_made_with_one_video_in_memory_at_a_time(root: Path, tmp_path: Path) -> None:
    """15.6 MiB of training features, made by a process that never holds 5."""
    shared, notes = tmp_path / "shared", list[str]()
    load(found(root), "A1", (), shared)  # what is imported once
    large = found(make_dataset(tmp_path / "large", train=80, test=4, channels=256, snippets=400), snippets=400)
    assert held_by(lambda: load(large, "A1", (), shared, notes)) < 5 << 20
    assert load(large, "A1", (), shared, notes).train.features.nbytes > 15.6 * (1 << 20)
    assert notes == []
