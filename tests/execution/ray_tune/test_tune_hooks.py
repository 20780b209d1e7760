"""Tune's hooks: what the driver is told of workers that die or cannot start."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from tal_search.execution.ray_tune.ray_backend import RayBackend
from tal_search.proposers.events import Failed, Finished, Noted
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tests.support.ray_cluster import of, ray_backend, run
from tests.support.small_trials import history, make_spec


def test_ray_starts_a_killed_worker_again_and_gives_up_in_the_end(on_cluster: None, tmp_path: Path) -> None:
    once, always = make_spec(0, deaths=1), make_spec(1, deaths=100)
    events = run(ray_backend(tmp_path, retries=2), [once, always])
    assert isinstance(of(events, once)[-1], Finished)
    again = "its worker process died; started again from its checkpoint"
    assert [event for event in of(events, once) if isinstance(event, Noted)] == [Noted(once, f"{again} (1 of 2)")]
    assert [event for event in of(events, always) if isinstance(event, Noted)] == [
        Noted(always, f"{again} (1 of 2)"), Noted(always, f"{again} (2 of 2)"),
    ]  # fmt: skip
    assert history(TrialFolder.of(tmp_path, once.key)) == [
        "epoch 1", "epoch 2", "death", "epoch 2", "epoch 3", "finished",
    ]  # fmt: skip
    assert of(events, always)[-1] == Failed(always, "its worker process died 3 times (killed, or out of memory)")
    assert len(history(TrialFolder.of(tmp_path, always.key), "death")) == 3


class Unreadable:
    """A trial function that workers cannot unpickle."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)

    def __call__(self, spec: TrialSpec, folder: TrialFolder) -> Generator[None, None, None]:
        yield None


def test_a_worker_that_cannot_start_is_told_from_one_that_died(on_cluster: None, tmp_path: Path) -> None:
    spec = make_spec()
    events = run(RayBackend(runs=tmp_path, trial=Unreadable(), retries=1), [spec])
    note, failed = [event for event in events if isinstance(event, Noted | Failed)]
    assert note == Noted(spec, "its worker process could not start; started again from its checkpoint (1 of 1)")
    assert isinstance(failed, Failed)
    assert failed.reason.startswith("its worker process could not start: ")
    assert "no number" in failed.reason
    assert "no number" in TrialFolder.of(tmp_path, spec.key).log.read_text()


def test_ray_starts_nothing_again_without_retries(on_cluster: None, tmp_path: Path) -> None:
    spec = make_spec(0, deaths=1)
    events = run(ray_backend(tmp_path, retries=0), [spec])
    assert events[-1] == Failed(spec, "its worker process died (killed, or out of memory)")
    assert not [event for event in events if isinstance(event, Noted)]
