"""Out of memory: a limit, torch's errors, and a kill by the kernel in a real cgroup, none of them retried blindly."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tal_search.errors import TalSearchError
from tal_search.execution import out_of_memory as memory
from tal_search.execution.out_of_memory import Attempt, Kills, kills, limit_memory, out_of_memory, reset_peaks
from tal_search.execution.worker import Work
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.small_trials import counting_trial, history, make_result, make_spec
from tests.support.waiting import DEADLINE, IMPORTABLE, wait_for

GIB = 2**30
FIX = "run fewer trials at once (resources.concurrent_trials) or lower hyperparameters.batch_size"


def own_data() -> int:
    """Bytes that count against RLIMIT_DATA now."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")]
    return int(line.split()[1]) * 1024


def test_a_torch_allocation_beyond_the_limit_fails_and_one_below_it_does_not(one_thread: None) -> None:
    before, limit = resource.getrlimit(resource.RLIMIT_DATA), own_data() + GIB
    with limit_memory(limit):
        assert torch.ones(GIB // 16).sum() == GIB // 16  # 256 MiB
    with (
        pytest.raises(TalSearchError, match=r"^out of memory: peak [\d.]+ [MG]iB of [\d.]+ [GT]iB allowed; raise"),
        limit_memory(limit),
    ):
        torch.empty(GIB)  # 4 GiB
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with pytest.raises(ValueError, match="another"), limit_memory(limit):
        raise ValueError("another error is what it was")


# A real fit that needs about 0.8 GiB beyond torch's own memory: large batches of long videos.
TRAINING = """
import sys, json
from pathlib import Path
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.execution.worker import Training, Work
from tests.support.small_fits import make_spec
simulation = Simulation(train_videos=40, test_videos=20, channels=128)
spec = make_spec(find("thumos14", "simulated", None, None, None, 800, simulation), epochs=1, batch_size=40)
work = Work(spec, Path(sys.argv[1]), Training(
    device="cpu", checkpoint_every_seconds=0.0, threads=1, memory_bytes=int(sys.argv[2])))
print(json.dumps(work.advance(60).failed))
"""


def in_a_program(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": IMPORTABLE}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)


def test_a_real_fit_that_needs_more_than_its_limit_fails_with_the_reason(tmp_path: Path) -> None:
    limited = in_a_program(TRAINING, tmp_path, 400 * 2**20)
    reason = limited.stdout.strip().strip(chr(34)) or limited.stderr
    assert reason.startswith("out of memory: peak ")
    assert " of 400.0 MiB allowed; raise resources.memory_per_trial or lower hyperparameters.batch_size" in reason


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        torch.OutOfMemoryError("injected"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_an_injected_error_fails_its_trial_and_leaves_its_sibling_alone(error: Exception, tmp_path: Path) -> None:
    def trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport]:
        for report in counting_trial(spec, folder):
            if spec.seed == 1 and report.epoch == 2:
                raise error
            yield report

    hungry, sibling = (Work(make_spec(seed), tmp_path, trial) for seed in (1, 0))  # type: ignore[arg-type]
    assert sibling.advance().reports
    advance = hungry.advance(60)
    assert re.fullmatch(rf"out of memory: peak [\d.]+ [MG]iB; {re.escape(FIX)}", str(advance.failed))
    assert [report.epoch for report in advance.reports] == [1]
    folder = TrialFolder.of(tmp_path, make_spec(1).key)
    assert type(error).__name__ in folder.log.read_text()
    assert not (folder.path / "attempt.json").exists()
    assert sibling.advance(60).finished
    assert TrialFolder.of(tmp_path, make_spec(0).key).result() == make_result(make_spec(0))


def test_other_errors_are_not_about_memory() -> None:
    assert out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert out_of_memory(ValueError("out of memory")) is None


def test_the_peak_is_that_of_this_trial_and_not_of_one_before() -> None:
    held = b"\1" * GIB
    del held
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reset_peaks()
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system does not let a process reset its peak")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before - 500_000


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A memory cgroup (v1 or v2) of this test's own, without a limit yet."""
    own = next((group for group in memory.cgroups() if group.is_dir()), Path("/nowhere"))
    folder = own / f"tal-search-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"cannot create a cgroup here: {error}")
    if not any((folder / name).exists() for name in memory.LIMITS):
        folder.rmdir()
        pytest.skip("cgroups here do not count memory")
    yield folder
    # Ray's helpers end a little after their driver.
    wait_for(lambda: not (folder / "cgroup.procs").read_text().strip())
    folder.rmdir()


def limit(cgroup: Path, count: int) -> None:
    for name in memory.LIMITS:
        if (cgroup / name).exists():
            (cgroup / name).write_text(str(count))


WORKER = """
import json, os, sys
from pathlib import Path
Path(sys.argv[3], "cgroup.procs").write_text(str(os.getpid()))
from tests.support.small_trials import counting_trial, make_spec
from tal_search.execution.worker import Work
work = Work(make_spec(1, holds=int(sys.argv[2]) * 2**20), Path(sys.argv[1]), counting_trial)
advance = work.advance(60)
print(json.dumps([len(advance.reports), advance.failed]))
"""


def test_a_worker_killed_by_the_kernel_is_not_tried_again_blindly(cgroup: Path, tmp_path: Path) -> None:
    limit(cgroup, 200 * 2**20)
    folder = TrialFolder.of(tmp_path, make_spec(1, holds=400 * 2**20).key)
    assert in_a_program(WORKER, tmp_path, 400, cgroup).returncode == -signal.SIGKILL
    assert history(folder) == ["epoch 1", "epoch 2"]
    assert str(cgroup) in json.loads((folder.path / "attempt.json").read_text())["place"]

    sibling = in_a_program(WORKER, tmp_path, 0, cgroup)
    assert json.loads(sibling.stdout) == [3, None], sibling.stderr

    again = in_a_program(WORKER, tmp_path, 400, cgroup)
    reports, failed = json.loads(again.stdout)
    assert reports == 0
    assert failed.startswith("out of memory: its process was killed by the kernel; peak ")
    assert failed.endswith(f" of all its processes together, of 200.0 MiB allowed; {FIX}")
    assert history(folder) == ["epoch 1", "epoch 2"], "it did not run again"
    assert not (folder.path / "attempt.json").exists()

    limit(cgroup, 2 * GIB)
    later = in_a_program(WORKER, tmp_path, 400, cgroup)
    assert json.loads(later.stdout) == [3, None], "a later command with more memory finishes it"


ON_RAY = """
import os, sys
from pathlib import Path
Path(sys.argv[2], "cgroup.procs").write_text(str(os.getpid()))
from tests.support.small_trials import counting_trial, make_spec
from tal_search.execution.ray_tune.ray_backend import RayBackend
class Both:
    specs = [make_spec(0, epochs=80, seconds=0.1), make_spec(1, holds=8 * 2**30)]
    ask = lambda self: self.specs.pop() if self.specs else None
    stops = lambda self, spec: False
def handle(event):
    print(event.spec.seed, type(event).__name__, getattr(event, "reason", ""), flush=True)
RayBackend(runs=Path(sys.argv[1]), trial=counting_trial, cpus_per_trial=0.5).run(Both(), handle)
"""


@pytest.mark.slow
def test_on_ray_the_kernel_kills_one_trial_which_fails_at_once_and_its_sibling_finishes(
    cgroup: Path, tmp_path: Path
) -> None:
    limit(cgroup, 3 * GIB)  # Ray's own processes take a part of it
    done = in_a_program(ON_RAY, tmp_path, cgroup)
    assert done.returncode == 0, done.stderr
    hungry = [line for line in done.stdout.splitlines() if line.startswith("1 ")]
    assert hungry[-1].startswith("1 Failed out of memory: its process was killed by the kernel; peak 3.0 GiB")
    killed, sibling = make_spec(1, holds=8 * GIB), make_spec(0, epochs=80, seconds=0.1)
    assert history(TrialFolder.of(tmp_path, killed.key)) == ["epoch 1", "epoch 2"], "one attempt only"
    assert done.stdout.splitlines().count("0 Reported ") == 80
    assert history(TrialFolder.of(tmp_path, sibling.key))[-1] == "finished"


def test_a_kill_that_was_not_for_memory_lets_the_trial_go_on(tmp_path: Path) -> None:
    spec = make_spec()
    note = TrialFolder.of(tmp_path, spec.key).path / "attempt.json"
    note.parent.mkdir(parents=True)
    now = kills()
    by_a_person, elsewhere = {"pid": 1, **now._asdict()}, {"pid": 1, "place": "another machine", "times": -1}
    for left in (by_a_person, elsewhere, {"pid": 1}):
        note.write_text(json.dumps(left))
        with Attempt(note.parent):
            assert json.loads(note.read_text()) == {"pid": os.getpid(), **now._asdict()}
        assert not note.exists()
    note.write_text("{")
    work = Work(spec, tmp_path, counting_trial)  # type: ignore[arg-type]
    assert work.advance(60).finished


def test_a_kill_that_a_trial_survived_is_not_counted_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = iter([Kills("here", 0), Kills("here", 1), Kills("here", 1), Kills("here", 1), Kills("here", 1)])
    monkeypatch.setattr(memory, "kills", lambda: next(counted))
    spec = make_spec()
    steps = counting_trial(spec, TrialFolder.of(tmp_path, spec.key))
    work = Work(spec, tmp_path, lambda *_: steps)  # type: ignore[arg-type, return-value]
    work.advance()  # during this epoch a sibling was killed
    note = TrialFolder.of(tmp_path, spec.key).path / "attempt.json"
    left = note.read_text()
    assert json.loads(left)["times"] == 1
    work.close()
    note.write_text(left)  # as if this process had been killed too, by a person
    assert Work(spec, tmp_path, counting_trial).advance().failed is None  # type: ignore[arg-type]
