"""Features of HAPT: one row for each window of a second, half a second apart.

Shapes: N samples, T windows, D values. Window i is centred at (25·i + 25)/50 s of its sequence.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tal_search.data.hapt.raw_files import WINDOW
from tal_search.types import Floats

KINDS = ("raw", "statistics")
STRIDE = 25  # samples from one window to the next
SPECTRUM = 128  # samples of the spectrum around a window's middle: 2.56 s
BANDS = ((1, 3), (3, 5), (5, 8), (8, 12), (12, 20), (20, 64))  # of its lines, .39 Hz apart
LEAST_ENERGY = 1e-3  # added to a band's energy before the logarithm
LEAST_DEVIATION = 1e-6  # added to a value's deviation before the division


def raw_windows(acceleration: Floats) -> NDArray[np.float16]:
    """[N, 3] → float16 [T, 150]: the samples of the x axis, then y, then z, in g.

    The input of Bock, Moeller and Van Laerhoven (IMWUT 8(4), 2024). Rounded by way of float32.
    """
    windows_T3W = sliding_window_view(acceleration, WINDOW, axis=0)[::STRIDE]
    return windows_T3W.reshape(len(windows_T3W), -1).astype(np.float32).astype(np.float16)


def statistics(acceleration: Floats, angular_velocity: Floats) -> NDArray[np.float32]:
    """[N, 3] each → float32 [T, 80]: ten numbers of each of eight signals, number by number.

    Signals: the six axes, and the norms of both sensors. Numbers: mean, deviation, least and greatest of the window,
    and the decimal logarithm of the energy in each of BANDS, of SPECTRUM samples without their mean under a Hann
    window; beyond its ends a sequence is continued by its first and last sample.
    """
    norms = [np.linalg.norm(sensor, axis=1, keepdims=True) for sensor in (acceleration, angular_velocity)]
    signals_N8 = np.concatenate([acceleration, angular_velocity, *norms], 1)
    windows_T8W = sliding_window_view(signals_N8, WINDOW, axis=0)[::STRIDE]
    padded = np.pad(signals_N8, ((SPECTRUM, SPECTRUM), (0, 0)), mode="edge")
    first = SPECTRUM + WINDOW // 2 - SPECTRUM // 2
    around_T8S = sliding_window_view(padded, SPECTRUM, axis=0)[first::STRIDE][: len(windows_T8W)]
    centred_T8S = around_T8S - around_T8S.mean(2, keepdims=True)
    power_T8F = np.abs(np.fft.rfft(centred_T8S * np.hanning(SPECTRUM), axis=2)) ** 2
    energies = [np.log10(power_T8F[:, :, low:high].sum(2) + LEAST_ENERGY) for low, high in BANDS]
    moments = [windows_T8W.mean(2), windows_T8W.std(2), windows_T8W.min(2), windows_T8W.max(2)]
    return np.concatenate([*moments, *energies], 1).astype(np.float32)


def standardized(features: Iterable[NDArray[np.float32]], train: list[NDArray[np.float32]]) -> list[np.ndarray]:
    """Each [T, D] minus the mean of all training windows, over their deviation."""
    rows = np.concatenate(train)
    mean_D, deviation_D = rows.mean(0), rows.std(0) + LEAST_DEVIATION
    return [((rows_TD - mean_D) / deviation_D).astype(np.float32) for rows_TD in features]
