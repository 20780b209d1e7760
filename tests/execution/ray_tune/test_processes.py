"""A library's processes, tracked and killed."""

from __future__ import annotations

import subprocess

import psutil

from tal_search.execution.ray_tune.processes import Family
from tests.support.waiting import GONE_SECONDS, wait_for

SLEEPING = ["sleep", "600"]


def test_the_children_of_a_killed_parent_are_killed_and_no_others() -> None:
    before = subprocess.Popen(SLEEPING)
    family = Family()
    parent = subprocess.Popen(["sh", "-c", "sleep 600 & wait"])
    family.adopt()
    other = subprocess.Popen(SLEEPING)
    try:
        wait_for(lambda: psutil.Process(parent.pid).children(), parent)
        family.refresh()
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
        parent.wait()  # the orphan's parent is another process now
        family.kill()
        assert not psutil.wait_procs([child], timeout=GONE_SECONDS)[1]
        assert before.poll() is None
        assert other.poll() is None
    finally:
        for process in (before, parent, other):
            process.kill()
            process.wait()
