"""An operation whose answer is lost after its commit is done once, though it is repeated from its start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import optuna
import pytest
from optuna.trial import TrialState

from tal_search.proposers.optuna_study import CellStudy
from tal_search.record import retry, storage
from tal_search.record.record import Record
from tal_search.record.retry import Operations
from tal_search.trial.trial_types import EpochReport
from tests.support.lossy_proxy import LossyProxy, lossy_proxy
from tests.support.postgres_server import Server
from tests.support.small_records import trial_of, trials_of
from tests.support.small_trials import make_result

COMMIT = b"COMMIT"


class Lossy(NamedTuple):
    """A database behind a proxy; plain: its URL without it."""

    url: str
    plain: str
    proxy: LossyProxy

    def once(self, operation: Callable[[], object]) -> bool:
        """Call an operation whose first commit is made, but not answered; False if it made none."""
        before = self.proxy.lost
        self.proxy.lose_answer(COMMIT)
        operation()
        return self.proxy.lost == before + 1


@pytest.fixture
def lossy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lossy]:
    monkeypatch.setenv("PGPASSWORD", server.password)
    monkeypatch.setattr(retry, "POLL_SECONDS", 0.01)
    plain = server.new_database()
    with lossy_proxy(server.port) as proxy:
        yield Lossy(plain.replace(f":{server.port}/", f":{proxy.port}/"), plain, proxy)


def report(epoch: int) -> EpochReport:
    return EpochReport(epoch=epoch, epochs=2, seconds=0.1, losses={"total": 1.0 / epoch}, scores={})


def test_every_write_of_a_trial_is_made_once(lossy: Lossy, tmp_path: Path) -> None:
    one, two, three = trial_of(1), trial_of(2), trial_of(3)
    with Record.open(lossy.url, "s", {}, folder=tmp_path) as record:
        once = lossy.once
        queued = [
            partial(record.start, one), partial(record.report, one, report(1)), partial(record.report, one, report(2)),
            partial(record.finish, one, make_result(one.spec), cached=False),
            partial(record.finish_all, [(two, make_result(two.spec)), (three, make_result(three.spec))], cached=True),
        ]  # fmt: skip
        for action in queued:
            assert once(lambda action=action: (record.operations.enqueue(action), record.operations.flush()))  # type: ignore[misc]
        four, five = trial_of(4), trial_of(5)
        for trial in (four, five):
            assert once(partial(record.start, trial))
        assert once(partial(record.fail, four, "diverged"))
        assert once(partial(record.start, four))
        assert once(partial(record.prune, four, "stopped early"))
        assert once(partial(record.finish, five, make_result(five.spec), cached=False))
    kept = trials_of(lossy.plain, "s")
    assert [(trial.number, trial.state.name) for trial in kept] == [
        (0, "COMPLETE"), (1, "COMPLETE"), (2, "COMPLETE"), (3, "FAIL"), (4, "COMPLETE"), (5, "PRUNED"),
    ]  # fmt: skip
    assert [trial.user_attrs["attempt"] for trial in kept] == [1, 1, 1, 1, 1, 2]
    assert [trial.user_attrs["id"] for trial in kept] == [each.id for each in (one, two, three, four, five, four)]
    assert kept[0].intermediate_values == {1: 1.0, 2: 0.5}
    with Record.open(lossy.plain, "s", {}, folder=tmp_path) as record:
        assert record.finished() == {each.id: make_result(each.spec) for each in (one, two, three, five)}


def test_every_write_of_a_cell_is_made_once(lossy: Lossy, tmp_path: Path) -> None:
    kept, operations, once = storage.open_storage(lossy.url), Operations(tmp_path), lossy.once
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    opened: list[CellStudy] = []
    make = partial(CellStudy, kept, operations, "s: cells", {"mAP": "maximize"}, sampler, pruner, ["mAP"])
    assert once(lambda: opened.append(make()))
    cells, begun = opened[0], list[optuna.Trial]()

    def ask() -> None:
        begun.append(cells.ask(lambda trial: trial.suggest_float("a", 0, 1))[0])
        operations.flush()

    def done(action: Callable[[], object]) -> None:
        action()
        operations.flush()

    assert once(ask)
    assert once(ask)
    assert once(lambda: done(lambda: cells.report(begun[0], 0.25, 1)))
    assert once(lambda: done(lambda: cells.tell(begun[0], [0.5])))
    assert once(lambda: done(lambda: cells.tell(begun[1], state=TrialState.FAIL)))
    storage.close(kept)
    found = trials_of(lossy.plain, "s: cells")
    assert [(trial.number, trial.state.name) for trial in found] == [(0, "COMPLETE"), (1, "FAIL")]
    assert (found[0].value, found[0].intermediate_values) == (0.5, {1: 0.25})
    assert [trial.params for trial in found] == [trial.params for trial in cells.trials()]


@pytest.mark.parametrize("table", ["studies", "study_directions", "study_user_attributes", "study_system_attributes"])
def test_a_study_is_created_once(table: str, lossy: Lossy, tmp_path: Path) -> None:
    """The connection breaks within the transaction too, before its commit."""
    kept = storage.open_storage(lossy.url)
    agree = partial(storage.agree, kept, "s", {}, {"method": "a"}, {"axes": {}}, ("mAP", "loss"))
    for request in (f"INSERT INTO {table}".encode(), COMMIT):
        lossy.proxy.lose_answer(request)
        Operations(tmp_path).retry(agree)
    assert lossy.proxy.lost == 2
    (study,) = kept.get_all_studies()
    assert study.user_attrs == {"settings": {"method": "a"}, "about": {"axes": {}}, "intermediate values": "loss"}
    assert study.system_attrs == {"study:metric_names": ["mAP"]}
    storage.close(kept)
