"""Problems of a study whose methods read RGB and flow apart: which channels are which must be known."""

from __future__ import annotations

from collections.abc import Iterable

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.methods import specification
from tal_search.plan.cells import Case
from tal_search.study import Study

KEY = "dataset.streams"
FIX = f"give {KEY}=[RGB, FLOW], how many channels each has, in the order in which they are stored"


def stream_problems(study: Study, dataset: DatasetSpec, cases: Iterable[Case]) -> list[str]:
    """A problem where the streams are unknown that a method reads, or are not those of the features."""
    given, streams, channels = bool(study.dataset.streams), dataset.streams, dataset.channels
    if given and len(streams) != 2:
        return [f"{study.place(KEY)}: {KEY} is {streams}; give two numbers, the channels of RGB and of flow"]
    methods = [*dict.fromkeys(case.method for case in cases if specification(case.method).method.reads_streams)]
    if not methods or not channels or sum(streams) == channels:
        return []
    if streams:
        file = study.dataset.file or f"datasets/{dataset.name}.yaml"
        key = f"{study.place(KEY)}: {KEY}" if given else f"{file}: streams"
        return [f"{key} is {streams}, but the features have {channels} channels; {FIX}"]
    read = f"{' and '.join(methods)} {'reads' if len(methods) == 1 else 'read'} RGB and flow apart"
    layout = f"{dataset.root} (layout {dataset.layout['name']})" if dataset.layout else "the simulated features"
    unknown = f"nothing says which of the {channels} channels of {layout} are which"
    return [f"{study.place('method')}: {read}, and {unknown}; {FIX}"]
