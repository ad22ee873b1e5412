"""Latency quantiles: exact on known counts, refused where there are too few, honest under resampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.statistics.interval import Interval, Refusal
from pathgauge.statistics.quantile import of_histograms, quantile_of_counts

VALUES = np.arange(1.0, 101.0)


@given(st.lists(st.integers(min_value=1, max_value=100), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_quantile_is_a_sample_with_the_right_share_below(samples: list[int], quantile: float) -> None:
    counts = np.bincount(samples, minlength=101)[1:].astype(float)
    found = quantile_of_counts(counts, VALUES, quantile)
    assert found in samples
    assert sum(s <= found for s in samples) >= quantile * len(samples) - 1e-9
    assert sum(s < found for s in samples) < quantile * len(samples) + 1e-9


def test_no_counts_give_no_quantile() -> None:
    assert np.isnan(quantile_of_counts(np.zeros(100), VALUES, 0.5))


def histograms(seed: int, blocks: int, samples: int, scale: float) -> np.ndarray:
    generator = np.random.default_rng(seed)
    draws = [np.clip(generator.gamma(5.0, scale, samples), 1, 100).astype(int) for _ in range(blocks)]
    return np.array([np.bincount(drawn, minlength=101)[1:] for drawn in draws], dtype=float)


def test_a_shift_is_found_and_swapping_inverts_it() -> None:
    slow, fast = histograms(1, 20, 500, 6.0), histograms(2, 20, 500, 4.0)
    there = of_histograms(fast, slow, VALUES, 0.5, 0.95, np.random.default_rng(3))
    back = of_histograms(slow, fast, VALUES, 0.5, 0.95, np.random.default_rng(3))
    assert isinstance(there, Interval)
    assert isinstance(back, Interval)
    assert there.low > 1.2
    assert there.estimate == pytest.approx(1.0 / back.estimate)
    assert there.low == pytest.approx(1.0 / back.high)


def test_too_few_blocks_or_transactions_are_refused() -> None:
    few = of_histograms(None, histograms(1, 3, 500, 5.0), VALUES, 0.5, 0.95, np.random.default_rng(1))
    assert isinstance(few, Refusal)
    thin = of_histograms(None, histograms(1, 10, 50, 5.0), VALUES, 0.999, 0.95, np.random.default_rng(1))
    assert isinstance(thin, Refusal)
    assert "10000" in thin.reason


def test_coverage_of_equal_paths() -> None:
    """200 seeded A/A comparisons of a p90 over 8 blocks: the interval holds 1 in at least 93 %."""
    held = 0
    for seed in range(200):
        one, two = histograms(2 * seed, 8, 200, 5.0), histograms(2 * seed + 1, 8, 200, 5.0)
        found = of_histograms(one, two, VALUES, 0.9, 0.95, np.random.default_rng(seed))
        assert isinstance(found, Interval)
        held += found.low <= 1.0 <= found.high
    assert held >= 186
