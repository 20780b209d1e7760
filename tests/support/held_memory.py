"""Memory held by arrays that the code under test makes, counted array by array.

A process as a whole also holds what the libraries below take for themselves: scratch of the matrix library, which
differs from processor to processor, is none of the code's doing. Nor are files that are mapped and never copied.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode


class _Tensors(TorchDispatchMode):
    """The most bytes of torch's own tensors alive at once, of those that operations in the block made.

    Memory that belongs to NumPy, which `torch.from_numpy` shares, is not counted here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: object, arguments: tuple[Any, ...] = (), named: Any = None
    ) -> Any:
        made = function(*arguments, **(named or {}))
        for tensor in made if isinstance(made, (list, tuple)) else [made]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().resizable():
                storage = StorageWeakRef(tensor.untyped_storage())
                self._alive[storage.cdata] = storage, tensor.untyped_storage().nbytes()
        self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return made


def held_by(action: Callable[[], object]) -> int:
    """The most bytes of Python objects, NumPy arrays and tensors that `action` held at once, at most.

    (The two peaks, of tensors and of all else, need not fall together, so their sum may be more than there was.)
    """
    with _Tensors():
        torch.zeros(1).clone()  # the first use of a dispatch mode imports modules, which would be counted
    tensors = _Tensors()
    tracemalloc.start()
    try:
        with tensors:
            action()
        return tracemalloc.get_traced_memory()[1] + tensors.peak
    finally:
        tracemalloc.stop()
