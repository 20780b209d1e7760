"""Ray session of one study: started on this machine or joined at an address, watched, and shut down at the end.

Importing this module imports Ray, which reads its environment variables at import: call `ray_settings.prepare` first.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import ray

from tal_search.errors import InputError, Interrupted, TalSearchError
from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.ray_tune.processes import Family
from tal_search.execution.ray_tune.ray_address import RayAddress
from tal_search.execution.ray_tune.scratch import scratch_folder
from tal_search.execution.ray_tune.watchdog import ServerWatch
from tal_search.files.disk import free_bytes, size_text
from tal_search.text.printable import first_line, shown_line

OBJECT_STORE_BYTES = 100 * 2**20  # specs and reports are small; arrays never travel through Ray
PATIENCE_SECONDS = {"own": 3.0, "joined": 12.0}  # of silence until servers count as dead; a cluster may restart its own
LEAVING_SECONDS = 12.0  # for the main thread to return from Ray after its servers have died


REFUSED = (OSError, RuntimeError, ValueError, ray.exceptions.RayError)  # of `ray.init`


class _Node(TypedDict):
    """The parts read here of an entry of `ray.nodes`."""

    NodeID: str
    Alive: bool
    NodeManagerAddress: str
    NodeManagerPort: int
    Resources: dict[str, float]


class _Quiet(TypedDict):
    log_to_driver: bool
    logging_level: int


QUIET: _Quiet = {"log_to_driver": False, "logging_level": logging.ERROR}


@contextmanager
def ray_session(where: RayAddress, interrupt: DeferredInterrupt) -> Iterator[Path]:
    """A running Ray and a folder for Tune's files, which is removed afterwards.

    where: the cluster to join, or a Ray started here, whose processes all end with the block. Raises InputError where
    no cluster can be joined or Ray cannot start, and TalSearchError where Ray's servers die in the block.
    """
    family = Family()
    with scratch_folder() as folder:
        watch = None
        try:
            _start(folder, where)
            if where.address is None:
                family.adopt()
            interrupt.install(before_exit=family.kill)  # again: Ray replaced the handlers
            watch = _watch("own" if where.address is None else "joined", family, interrupt)
            yield folder
        except Exception as error:
            if watch is None or isinstance(error, TalSearchError) or (sentence := watch.lost()) is None:
                raise
            raise TalSearchError(sentence) from error
        finally:
            if watch is not None and not watch.given_up:
                watch.close()  # otherwise keep watching, since the shutdown may hang
            ray.shutdown()
            family.kill()
            if watch is not None:
                watch.close()


def machines() -> list[dict[str, float]]:
    """Resources of every machine of the running Ray, by Ray's names; memory in bytes."""
    return [node["Resources"] for node in _nodes() if node["Alive"]]


def _nodes() -> list[_Node]:
    nodes: list[_Node] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes


def _start(folder: Path, where: RayAddress) -> None:
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # our events and the trials' logs say the same
    try:
        if where.address is not None:
            _join(where)
            return
        ray.init(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(folder / "ray"),
            **QUIET,
        )
    except SystemExit as error:  # how Ray answers SIGTERM
        raise Interrupted(signal.SIGTERM) from error
    except REFUSED as error:
        raise InputError(
            f"Ray cannot start on this machine: {first_line(error).rstrip('.')}; its files are in {folder} "
            f"({size_text(free_bytes(folder))} free) and /dev/shm: set TMPDIR to another folder, or use backend=inline"
        ) from error


def _join(where: RayAddress) -> None:
    try:
        ray.init(address=where.address, **QUIET)
    except REFUSED as error:
        raise where.refusal(f"it cannot be joined ({first_line(error).rstrip('.')})") from error


def _watch(kind: str, family: Family, interrupt: DeferredInterrupt) -> ServerWatch:
    here = ray.get_runtime_context().get_node_id()
    (node,) = [node for node in _nodes() if node["NodeID"] == here]
    servers = {
        "raylet": f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}",
        "GCS": ray.get_runtime_context().gcs_address,
    }

    def on_lost(sentence: str, seconds: float) -> None:
        interrupt.fail(TalSearchError(sentence))
        if seconds > LEAVING_SECONDS:  # the main thread hangs in Ray
            sys.stderr.write(f"{shown_line(sentence)}\n")
            family.kill()
            os._exit(1)

    return ServerWatch(servers, patience=PATIENCE_SECONDS[kind], on_poll=family.refresh, on_lost=on_lost)
