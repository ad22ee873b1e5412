"""Latency quantiles: exact on known counts, refused where there are too few; what swapping and scaling do to them.

How often their intervals hold is told in tests/calibration/test_quantiles.py.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pathgauge.statistics.interval import Interval, Refusal, lag_one, spread_at, widening
from pathgauge.statistics.quantile import of_histograms, quantile_of_counts

Counts = NDArray[np.float64]
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


def histograms(seed: int, blocks: int, samples: int, scale: float) -> Counts:
    generator = np.random.default_rng(seed)
    draws = [np.clip(generator.gamma(5.0, scale, samples), 1, 100).astype(int) for _ in range(blocks)]
    return np.array([np.bincount(drawn, minlength=101)[1:] for drawn in draws], dtype=float)


def told(found: Interval | Refusal) -> Interval:
    assert isinstance(found, Interval), found
    return found


def refused(found: Interval | Refusal) -> str:
    assert isinstance(found, Refusal), found
    return found.reason


# Paths with blocks of any counts: of few values, so that some runs are degenerate, and refused.
counts = st.integers(5, 12).flatmap(
    lambda blocks: st.lists(
        st.lists(st.integers(0, 60), min_size=12, max_size=12), min_size=2 * blocks, max_size=2 * blocks
    )
)
how = st.fixed_dictionaries({"fixed": st.booleans(), "independent": st.booleans()})


def two_paths(rows: list[list[int]]) -> tuple[Counts, Counts]:
    both = np.array(rows, dtype=float)
    return both[: len(both) // 2], both[len(both) // 2 :]


def test_a_shift_is_found() -> None:
    slow, fast = histograms(1, 20, 500, 6.0), histograms(2, 20, 500, 4.0)
    found = told(of_histograms(fast, slow, VALUES, 0.5, 0.95))
    assert found.low > 1.2
    medians = [quantile_of_counts(path.sum(axis=0), VALUES, 0.5) for path in (slow, fast)]
    assert found.estimate == pytest.approx(medians[0] / medians[1])


@settings(deadline=None)  # the first of them imports scipy
@given(counts, st.sampled_from([0.5, 0.9, 0.99]), how)
def test_swapping_the_paths_mirrors_the_interval_exactly(
    rows: list[list[int]], quantile: float, how: dict[str, bool]
) -> None:
    one, two = two_paths(rows)
    there = of_histograms(one, two, VALUES[:12], quantile, 0.95, **how)
    back = of_histograms(two, one, VALUES[:12], quantile, 0.95, **how)
    if isinstance(there, Refusal):
        assert there == back
        return
    back = told(back)
    assert there.low <= there.estimate <= there.high
    assert there.estimate * back.estimate == pytest.approx(1.0, rel=1e-14)
    assert there.low * back.high == pytest.approx(1.0, rel=1e-14)
    assert there.high * back.low == pytest.approx(1.0, rel=1e-14)


@settings(deadline=None)  # the first of them imports scipy
@given(counts, st.sampled_from([0.5, 0.9, 0.99]), st.floats(1e-9, 1e9), how)
def test_units_change_nothing(rows: list[list[int]], quantile: float, unit: float, how: dict[str, bool]) -> None:
    one, two = two_paths(rows)
    plain = of_histograms(one, two, VALUES[:12], quantile, 0.95, **how)
    scaled = of_histograms(one, two, unit * VALUES[:12], quantile, 0.95, **how)
    if isinstance(plain, Refusal):
        assert plain == scaled
        return
    scaled = told(scaled)
    assert scaled.estimate == pytest.approx(plain.estimate)
    assert scaled.low == pytest.approx(plain.low)
    assert scaled.high == pytest.approx(plain.high)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
@pytest.mark.parametrize("fixed", [True, False])
def test_one_paths_interval_is_of_the_values_whose_share_below_is_not_excluded(quantile: float, fixed: bool) -> None:
    path = histograms(3, 15, 300, 5.0)
    found = told(of_histograms(None, path, VALUES, quantile, 0.95, fixed=fixed))
    centre = quantile_of_counts(path.sum(axis=0), VALUES, quantile)
    assert found.estimate == pytest.approx(centre)
    assert found.low < found.estimate < found.high
    wider = widening(lag_one(off(path, centre, quantile)), len(path))
    for value in VALUES[(VALUES > 5.0) & (VALUES < 80.0)]:
        of_blocks = off(path, value, quantile)
        squares = math.fsum((part - np.mean(of_blocks)) ** 2 for part in of_blocks)
        reach = wider * spread_at(len(path), 0.95, fixed=fixed) * math.sqrt(squares)
        assert (abs(np.mean(of_blocks)) <= reach) == (found.low <= value <= found.high), value


def off(path: Counts, value: float, quantile: float) -> list[float]:
    """How much more than the quantile's share each block of equally many transactions has below the value."""
    below = path[:, value > VALUES].sum(axis=1) + path[:, value == VALUES].sum(axis=1) / 2
    return [float(each) for each in below / path.sum(axis=1) - quantile]


def test_whoever_may_look_at_all_times_sees_less_at_each() -> None:
    one, two = histograms(1, 12, 500, 5.0), histograms(2, 12, 500, 5.0)
    once = told(of_histograms(one, two, VALUES, 0.5, 0.95, fixed=True, independent=True))
    following = told(of_histograms(one, two, VALUES, 0.5, 0.95, fixed=True))
    always = told(of_histograms(one, two, VALUES, 0.5, 0.95))
    assert always.low < following.low < once.low <= once.estimate <= once.high < following.high < always.high


def test_a_disturbance_of_both_paths_together_widens_less_than_one_of_each() -> None:
    shifts = np.random.default_rng(5).uniform(4.0, 6.0, 20)
    one, together, apart = (
        np.concatenate([histograms(seed * 100 + block, 1, 500, scale) for block, scale in enumerate(scales)])
        for seed, scales in ((1, shifts), (2, shifts), (3, shifts[::-1]))
    )
    alike, unlike = (told(of_histograms(one, two, VALUES, 0.5, 0.95)) for two in (together, apart))
    assert math.log(alike.high / alike.low) < 0.7 * math.log(unlike.high / unlike.low)


def test_too_few_blocks_or_transactions_are_refused() -> None:
    assert "blocks" in refused(of_histograms(None, histograms(1, 3, 500, 5.0), VALUES, 0.5, 0.95))
    assert "blocks: 1" in refused(of_histograms(None, histograms(1, 1, 500, 5.0), VALUES, 0.5, 0.95))
    assert "needs 10000" in refused(of_histograms(None, histograms(1, 10, 50, 5.0), VALUES, 0.999, 0.95))
    enough = histograms(1, 10, 50, 5.0)
    assert "needs 1000" in refused(of_histograms(enough[:, ::-1] * 0, enough, VALUES, 0.99, 0.95))
    assert isinstance(of_histograms(None, histograms(1, 10, 10, 5.0), VALUES, 0.9, 0.95), Interval)
    assert isinstance(of_histograms(None, enough, VALUES, 1.0, 0.95), Refusal), "nothing lies beyond it"


def test_blocks_that_tell_nothing_are_refused() -> None:
    alike = np.tile(histograms(1, 1, 500, 5.0), (8, 1))
    assert "exactly the same" in refused(of_histograms(None, alike, VALUES, 0.5, 0.95))
    at_once = np.zeros((8, 100))
    at_once[:, 10] = 500.0 + np.arange(8)
    assert "exactly the same" in refused(of_histograms(histograms(1, 8, 500, 5.0), at_once, VALUES, 0.9, 0.95))
    assert "cannot exclude" in refused(of_histograms(None, histograms(1, 5, 500, 5.0), VALUES, 0.5, 0.99999))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_counts_that_are_no_numbers_are_refused(wrong: float) -> None:
    good, bad = histograms(1, 8, 500, 5.0), histograms(2, 8, 500, 5.0)
    bad[3, 20] = wrong
    assert "no number" in refused(of_histograms(good, bad, VALUES, 0.5, 0.95))
    assert "no number" in refused(of_histograms(bad, good, VALUES, 0.5, 0.95))


def test_a_latency_of_nothing_is_refused() -> None:
    path = histograms(1, 8, 500, 5.0)
    assert "no time" in refused(of_histograms(path, path, VALUES - 1.0, 0.5, 0.95))


@pytest.mark.parametrize(("blocks", "places"), [(7, 100), (9, 100), (1, 100), (8, 99), (8, 101)])
def test_paths_of_different_shapes_are_an_error(blocks: int, places: int) -> None:
    path, other = histograms(1, 8, 500, 5.0), np.ones((blocks, places))
    with pytest.raises(ValueError, match="the same blocks"):
        of_histograms(other, path, VALUES, 0.5, 0.95)
    with pytest.raises(ValueError, match="the same blocks"):
        of_histograms(path, other, VALUES, 0.5, 0.95)
