"""Arrays to tensors."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from numpy.typing import NDArray


def tensor(array: NDArray[Any]) -> torch.Tensor:
    """A tensor on the array's own memory, which may be a file mapped for reading: it is not to be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
