"""A Ray for one study: started on loopback only, gone with all its processes, or joined at an address."""

from __future__ import annotations

from pathlib import Path

import psutil

from tal_search.proposers.events import Event, Finished, Started
from tests.support.ray_cluster import ray_backend
from tests.support.small_trials import Listed, make_spec
from tests.support.waiting import GONE_SECONDS


def test_ray_honours_the_limit_stays_on_loopback_and_leaves_nothing_running(importable: None, tmp_path: Path) -> None:
    specs = [make_spec(seed, seconds=0.3) for seed in range(3)]
    live, most, open_to_others = set(), 0, []
    before, children = set(psutil.Process().children(recursive=True)), list[psutil.Process]()

    def handle(event: Event) -> None:
        nonlocal most
        live.add(event.spec.key) if isinstance(event, Started) else None
        live.discard(event.spec.key) if isinstance(event, Finished) else None
        most = max(most, len(live))
        children[:] = set(psutil.Process().children(recursive=True)) - before
        for process in children:
            with_sockets = process.net_connections() if process.is_running() else []
            open_to_others.extend(
                (process.name(), c.laddr)
                for c in with_sockets
                if c.status == psutil.CONN_LISTEN and c.laddr.ip.removeprefix("::ffff:") != "127.0.0.1"
            )

    ray_backend(tmp_path, concurrent_trials=1).run(Listed(specs), handle)
    assert most == 1
    assert not open_to_others
    assert len(children) > 2
    assert not psutil.wait_procs(children, timeout=GONE_SECONDS)[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials"]
