"""Features of HAPT beside loops written from their description."""

from __future__ import annotations

import numpy as np

from tal_search.data.hapt.windows import raw_windows, standardized, statistics


def test_raw_windows_hold_axis_after_axis() -> None:
    samples = np.random.default_rng(0).standard_normal((149, 3))
    rows = raw_windows(samples)
    assert (rows.shape, rows.dtype) == ((4, 150), np.float16)
    for index in range(4):
        expected = [samples[25 * index + t, axis] for axis in range(3) for t in range(50)]
        np.testing.assert_array_equal(rows[index], np.array(expected, np.float32).astype(np.float16))


def test_statistics_equal_a_loop() -> None:
    generator = np.random.default_rng(1)
    acceleration, velocity = generator.standard_normal((2, 300, 3))
    rows = statistics(acceleration, velocity)
    assert (rows.shape, rows.dtype) == ((11, 80), np.float32)
    signals = [*acceleration.T, *velocity.T, (acceleration**2).sum(1) ** 0.5, (velocity**2).sum(1) ** 0.5]
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * n / 127) for n in range(128)]
    wave = np.exp(-2j * np.pi * np.outer(np.arange(64), np.arange(128)) / 128)
    for index in range(11):
        moments: list[list[float]] = [[], [], [], []]
        energies: list[list[float]] = [[] for _ in range(6)]
        for signal in signals:
            window = signal[25 * index : 25 * index + 50]
            mean = window.sum() / 50
            spread = (((window - mean) ** 2).sum() / 50) ** 0.5
            for into, value in zip(moments, (mean, spread, min(window), max(window)), strict=True):
                into.append(float(value))
            middle = 25 * index + 25
            around = np.array([signal[min(max(t, 0), 299)] for t in range(middle - 64, middle + 64)])
            power = abs(wave @ ((around - around.mean()) * hann)) ** 2
            for into, (low, high) in zip(energies, ((1, 3), (3, 5), (5, 8), (8, 12), (12, 20), (20, 64)), strict=True):
                into.append(float(np.log10(power[low:high].sum() + 1e-3)))
        np.testing.assert_allclose(rows[index], np.concatenate([*moments, *energies]), rtol=1e-5, atol=1e-6)


def test_training_rows_have_mean_0_and_deviation_1_and_others_use_theirs() -> None:
    generator = np.random.default_rng(2)
    train, other = generator.normal(5, 3, (400, 2)).astype(np.float32), np.full((3, 2), 5, np.float32)
    first, second = standardized([train, other], [train])
    np.testing.assert_allclose([first.mean(0), first.std(0)], [[0, 0], [1, 1]], atol=1e-4)
    np.testing.assert_allclose(second, ((other - train.mean(0)) / train.std(0)), rtol=1e-3)
